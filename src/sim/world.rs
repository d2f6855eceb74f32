//! The state of a run, its closed set of events, and who handles which.
//!
//! *Knows* all state and nothing about how a part of it behaves; `load` makes requests, `task`
//! serves them, `hop` carries calls, `network` delays them, `control` tells routers about tasks,
//! `life` starts and stops tasks, `fault` breaks them, `record` keeps the books.

use super::Limits;
use super::RunError;
use super::call::Call;
use super::call::Dial;
use super::control::Outage;
use super::control::Registry;
use super::deploy::Deployment;
use super::deploy::Shift;
use super::engine::Engine;
use super::engine::Lane;
use super::fault::ActiveFault;
use super::fault::Faulting;
use super::fault::Trouble as TaskTrouble;
use super::hop::Node;
use super::hop::RouterHost;
use super::load::Source;
use super::meter::Meter;
use super::network::Delays;
use super::note::Tracer;
use super::program::Program;
use super::random::Seed;
use super::record::Recorder;
use super::scaling::Tracker;
use super::sidecar::Proxies;
use super::slab::Ref;
use super::slab::Slab;
use super::task::Job;
use super::task::Parent;
use super::task::Queueing;
use super::task::Task;
use crate::measure::HappeningKind;
use crate::measure::Recording;
use crate::measure::ServiceRecord;
use crate::policy::AttemptNo;
use crate::policy::EndpointId;
use crate::policy::Fact;
use crate::policy::MemberKey;
use crate::policy::PolicyConfig;
use crate::policy::Trouble;
use crate::scenario::Plane;
use crate::scenario::Scenario;
use crate::scenario::Window;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Everything that can happen.
#[derive(Clone, Copy)]
pub(super) enum Ev {
    /// A load's next request arrives.
    Arrive { load: u32 },
    /// A closed-loop user asks.
    UserAsks { load: u32, user: u32 },
    /// A job's work is done.
    WorkDone(Ref<Job>),
    /// A job has waited in the queue for as long as it will.
    QueueTimeout(Ref<Job>),
    /// An attempt arrives at its endpoint.
    Reach { call: Ref<Call>, attempt: u8 },
    /// An answer arrives at the caller's router.
    Answer { call: Ref<Call>, attempt: u8, status: u16 },
    /// An attempt's connection broke under it.
    Broken { call: Ref<Call>, attempt: u8 },
    /// A call's request time-out.
    Deadline(Ref<Call>),
    /// An attempt's own time-out.
    PerTry { call: Ref<Call>, attempt: u8 },
    /// A call's back-off is over.
    Step(Ref<Call>),
    /// A SYN arrives.
    DialArrives(Ref<Dial>),
    /// A dial came to its end.
    Dialled(Ref<Dial>),
    /// A name look-up came back.
    Resolved { router: u32, call: Ref<Call> },
    /// A router's housekeeping is due.
    Upkeep { router: u32 },
    /// A probe came to its end.
    Probed { router: u32, endpoint: EndpointId, healthy: bool },
    /// A list arrives at a router.
    Push { router: u32, version: u32 },
    /// A router hears how its own service's tasks spread over the zones.
    Neighbours { router: u32, version: u32 },
    /// DNS shows a list.
    DnsShows { service: u32, version: u32 },
    /// The warm-up is over.
    WarmupOver,
    /// Arrivals and measuring are over.
    MeasureOver,
    /// A fault begins.
    FaultOn { fault: u32 },
    /// A fault ends.
    FaultOff { fault: u32 },
    /// A fault that grows gets stronger.
    FaultGrows { fault: u32, times: u32 },
    /// A fault strikes a task.
    Strike { fault: u32, task: u32, times: u32 },
    /// A task that stood still may move again.
    Resume { task: u32 },
    /// A task has lost its memory.
    OutOfMemory { task: u32 },
    /// The headers of an answer arrive, and its body breaks off.
    Cut { call: Ref<Call>, attempt: u8 },
    /// A registration that was throttled goes through.
    Registered { task: u32, path: u8 },
    /// A `[[scale]]`.
    Scale { scale: u32 },
    /// A `[[deploy]]`.
    Deploy { deploy: u32 },
    /// A task is RUNNING.
    Running { task: u32 },
    /// A task's app exits by itself.
    AppExits { task: u32 },
    /// A task's app, told to stop, takes no more requests.
    Deaf { task: u32 },
    /// The capacity under a task is taken back.
    Reclaimed { task: u32 },
    /// A task serves from now on.
    TaskReady { task: u32 },
    /// A task's container check.
    Check { task: u32 },
    /// A task without a check counts as healthy.
    Settled { task: u32 },
    /// A deregistered target may be unused by now.
    Draining { task: u32, until: Time },
    /// SIGTERM, after whatever came before it.
    Sigterm { task: u32 },
    /// SIGKILL, unless it stopped by itself.
    Sigkill { task: u32 },
    /// The last container has stopped.
    TaskGone { task: u32 },
    /// ECS has noticed that a task died.
    Noticed { task: u32 },
    /// ECS starts a task in place of a lost one, if it still wants one.
    Reconcile { service: u32 },
    /// A minute of a scaled service's metric is over.
    Datapoint { scaling: u32 },
    /// A window between two instants opens or closes.
    WindowEdge { window: u32, open: bool },
    /// DNS shows that a task is healthy.
    HealthShown { task: u32 },
    /// A request has waited its turn in the callee's proxy.
    Through { call: Ref<Call>, attempt: u8 },
    /// An answer has waited its turn in the caller's proxy.
    AnswerThrough { call: Ref<Call>, attempt: u8, status: u16 },
    /// A proxy runs out of memory.
    ProxyDies { task: u32 },
    /// A proxy runs again.
    ProxyBack { task: u32 },
    /// A stage of a deployment has lasted its time.
    DeployTimer { service: u32, serial: u32 },
    /// A period of a deployment's alarm is over.
    AlarmDue { service: u32, serial: u32 },
    /// Somebody has a deployment rolled back.
    RollBack { service: u32, serial: u32 },
    /// A service is created.
    Created { service: u32 },
    /// A `[[migrate]]`.
    Migrate { step: u32 },
    /// A stretch of the meter is over.
    Metered,
}

/// A service's state.
pub(super) struct ServiceState {
    /// Tasks that exist, in order of number.
    pub(super) tasks: Vec<u32>,
    /// Tasks that serve and are not leaving; where entries and targets are drawn from.
    pub(super) serving: Vec<u32>,
    pub(super) desired: u32,
    pub(super) next_number: u32,
    /// One for each path.
    pub(super) registries: [Registry; 2],
    pub(super) queueing: Queueing,
    pub(super) measured_from: ServiceRecord,
    pub(super) next_spread: u64,
    pub(super) version: super::program::Version,
    pub(super) startup: super::random::Sampler,
    /// Its tasks die this long after RUNNING; read when a task becomes RUNNING.
    pub(super) crash_loop: Option<Span>,
    pub(super) deployment: Option<Deployment>,
    /// Routers that choose among its tasks.
    pub(super) routers_in: Vec<u32>,
    /// ALB nodes in front of it.
    pub(super) nodes: Vec<u32>,
    /// Sampler of the longest wait in a queue.
    pub(super) patience: Option<u32>,
    /// Deployments and rollbacks so far.
    pub(super) deployments: u32,
    /// What starts now was deployed then.
    pub(super) deployed: Time,
    /// The list of endpoints, of two, that what starts now is in.
    pub(super) group: u8,
    /// The list that takes the traffic when no deployment shifts it.
    pub(super) live: u8,
    /// As `serving`, of the other list.
    pub(super) side: Vec<u32>,
    /// How requests are shared out between the two lists.
    pub(super) shift: Shift,
    /// Its routers have twins.
    pub(super) paired: bool,
}

/// The state of a run.
pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) plane: &'a Plane,
    pub(super) engine: Engine<Ev>,
    pub(super) seed: Seed,
    pub(super) program: Program,
    pub(super) delays: Delays,
    pub(super) services: Vec<ServiceState>,
    pub(super) tasks: Vec<Task>,
    pub(super) nodes: Vec<Node>,
    pub(super) routers: Vec<RouterHost>,
    /// The policy of each edge, shared by its routers; those of a second path behind those of the first.
    pub(super) policies: Vec<Option<Arc<PolicyConfig>>>,
    pub(super) jobs: Slab<Job>,
    pub(super) calls: Slab<Call>,
    pub(super) dials: Slab<Dial>,
    pub(super) sources: Vec<Source>,
    pub(super) faults: Vec<ActiveFault>,
    pub(super) edge_trouble: Vec<TaskTrouble>,
    pub(super) recorder: Recorder,
    /// Calls woken by a router, to be stepped when the current call returns.
    pub(super) woken: VecDeque<Ref<Call>>,
    /// Facts of the current router call that the world acts on.
    pub(super) notable: Vec<Fact>,
    /// Who watches.
    pub(super) tracer: Option<&'a mut (dyn Tracer + 'a)>,
    pub(super) request_lanes: Vec<Lane>,
    pub(super) per_try_lanes: Vec<Lane>,
    /// The same for the calls of ALB nodes.
    pub(super) node_request_lane: Lane,
    pub(super) node_per_try_lane: Lane,
    pub(super) running: u32,
    /// Requests from outside that a hanging entry task took: their number, their segment, and since when.
    pub(super) silent: Vec<(u32, u16, Time)>,
    /// Requests from outside under way.
    pub(super) in_flight: u64,
    pub(super) live_faults: u32,
    pub(super) faults_to_come: u32,
    pub(super) live_deploys: u32,
    pub(super) outage: Outage,
    pub(super) proxies: Proxies,
    /// One per `[scaling.*]`.
    pub(super) trackers: Vec<Tracker>,
    pub(super) faulting: Faulting,
    /// Some task may not know a name that another task does.
    pub(super) names_differ: bool,
    /// By edge: the share of its calls that take the second path. Empty where nobody moves.
    pub(super) moved: Vec<Ratio>,
    pub(super) meter: Meter,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, plane: usize, replication: u32) -> World<'a> {
        let plane = &scenario.planes[plane];
        let mut engine = Engine::new();
        let timeouts: Vec<_> =
            plane.paths().flat_map(|path| &path.edge_policies).map(|policy| policy.timeouts).collect();
        let request_lanes = timeouts.iter().map(|limits| engine.lane(limits.request)).collect();
        let per_try_lanes =
            timeouts.iter().map(|limits| engine.lane(limits.per_try.min(limits.per_try_idle))).collect();
        let node_timeouts =
            plane.alb().map_or_else(|| PolicyConfig::alb_node().timeouts, |alb| alb.node_policy.timeouts);
        let node_request_lane = engine.lane(node_timeouts.request);
        let node_per_try_lane = engine.lane(node_timeouts.per_try.min(node_timeouts.per_try_idle));
        let program = Program::new(scenario);
        let mut world = World {
            scenario,
            plane,
            engine,
            seed: Seed::new(scenario.run.seed, replication),
            meter: Meter::new(scenario, &program),
            program,
            delays: Delays::new(plane),
            services: Vec::new(),
            tasks: Vec::new(),
            nodes: Vec::new(),
            routers: Vec::new(),
            policies: vec![None; scenario.edges.len() * plane.paths().count()],
            jobs: Slab::new(),
            calls: Slab::new(),
            dials: Slab::new(),
            sources: Vec::new(),
            faults: Vec::new(),
            edge_trouble: vec![TaskTrouble::default(); scenario.edges.len()],
            recorder: Recorder::new(scenario, replication),
            woken: VecDeque::new(),
            notable: Vec::new(),
            tracer: None,
            request_lanes,
            per_try_lanes,
            node_request_lane,
            node_per_try_lane,
            running: 0,
            silent: Vec::new(),
            in_flight: 0,
            live_faults: 0,
            faults_to_come: 0,
            live_deploys: 0,
            outage: Outage::default(),
            proxies: Proxies::new(scenario, plane),
            trackers: Vec::new(),
            faulting: Faulting::new(),
            names_differ: false,
            moved: Vec::new(),
        };
        world.set_up();
        world
    }

    fn set_up(&mut self) {
        self.set_up_services();
        self.set_up_names();
        self.set_up_migration();
        self.set_up_loads();
        self.set_up_faults();
        self.set_up_scaling();
        // Before the end of measuring, which reads it.
        self.set_up_meter();
        let run = &self.scenario.run;
        self.engine.at(Time::ZERO + run.warmup, Ev::WarmupOver);
        self.engine.at(Time::ZERO + run.duration, Ev::MeasureOver);
        for (i, scale) in self.scenario.scales.iter().enumerate() {
            self.engine.at(scale.at, Ev::Scale { scale: i as u32 });
        }
        for (i, deploy) in self.scenario.deploys.iter().enumerate() {
            self.engine.at(deploy.at, Ev::Deploy { deploy: i as u32 });
        }
        for (i, window) in self.scenario.windows().into_iter().enumerate() {
            if let Window::Between(from, to) = window {
                self.engine.at(from, Ev::WindowEdge { window: i as u32, open: true });
                self.engine.at(to, Ev::WindowEdge { window: i as u32, open: false });
            }
        }
        self.recorder.set_windows(Time::ZERO, true, |w| matches!(w, Window::All | Window::Warm));
    }

    /// Runs to the end of the drain, or until nothing is left to do.
    pub(super) fn run_to_end(mut self, limits: Limits<'_>) -> Result<Recording, RunError> {
        let run = &self.scenario.run;
        let end = Time::ZERO + run.duration + run.drain;
        let duration = Time::ZERO + run.duration;
        let mut stopped = false;
        loop {
            let calls = &self.calls;
            let stale = |event: &Ev| match event {
                Ev::Deadline(call) => calls.get(*call).is_none(),
                Ev::PerTry { call, attempt } => {
                    calls.get(*call).is_none_or(|call| call.flight.open_attempt() != Some(AttemptNo(*attempt)))
                }
                _ => false,
            };
            let Some(event) = self.engine.pop(end, stale) else { break };
            self.dispatch(event);
            while let Some(call) = self.woken.pop_front() {
                self.drive(call);
            }
            if !self.recorder.heard.is_empty() {
                self.on_heard();
            }
            if self.tracer.is_some() && self.tell() {
                stopped = true;
                break;
            }
            if self.engine.fired().is_multiple_of(0x1000) {
                if limits.stop.load(Ordering::Relaxed) {
                    stopped = true;
                    break;
                }
                if self.engine.fired() > limits.events_max {
                    return Err(RunError::TooManyEvents {
                        events: limits.events_max,
                        at: self.engine.now(),
                        in_flight: self.in_flight,
                        seed: run.seed,
                        replication: self.recorder.recording.replication,
                    });
                }
            }
            if self.in_flight == 0 && self.engine.now() > duration {
                break;
            }
        }
        let now = self.engine.now();
        if !stopped {
            self.give_up_on_the_rest(now);
        }
        self.close_services(now);
        self.note_busiest_proxies();
        self.recorder.recording.engine_events = self.engine.fired();
        self.recorder.recording.partial = stopped;
        Ok(self.recorder.finish(now, self.in_flight))
    }

    /// Handles everything up to an instant, for tests that meddle with a run.
    #[cfg(test)]
    pub(super) fn run_until(&mut self, until: Time) {
        while let Some(event) = self.engine.pop(until, |_| false) {
            self.dispatch(event);
            while let Some(call) = self.woken.pop_front() {
                self.drive(call);
            }
        }
    }

    /// Requests without an answer when the drain is over are failures.
    fn give_up_on_the_rest(&mut self, now: Time) {
        for (_, job) in self.jobs.refs() {
            if let Parent::User(user) = job.parent {
                self.recorder.unanswered(user.request, job.segment, now.since(job.entered));
            }
        }
        for &(request, segment, since) in &self.silent {
            self.recorder.unanswered(request, segment, now.since(since));
        }
    }

    pub(super) fn dispatch(&mut self, event: Ev) {
        match event {
            Ev::Arrive { load } => self.on_arrive(load),
            Ev::UserAsks { load, user } => self.on_user_asks(load, user),
            Ev::WorkDone(job) => self.on_work_done(job),
            Ev::QueueTimeout(job) => self.on_queue_timeout(job),
            Ev::Reach { call, attempt } => self.on_reach(call, attempt, false),
            Ev::Through { call, attempt } => self.on_reach(call, attempt, true),
            Ev::Answer { call, attempt, status } => self.on_answer(call, attempt, status, false),
            Ev::AnswerThrough { call, attempt, status } => self.on_answer(call, attempt, status, true),
            Ev::Broken { call, attempt } => self.on_trouble(call, attempt, Trouble::Reset { sent: true }),
            Ev::Deadline(call) => self.on_deadline(call),
            Ev::PerTry { call, attempt } => self.on_per_try(call, attempt),
            Ev::Step(call) => self.drive(call),
            Ev::DialArrives(dial) => self.on_dial_arrives(dial),
            Ev::Dialled(dial) => self.on_dialled(dial),
            Ev::Resolved { router, call } => self.on_resolved(router, call),
            Ev::Upkeep { router } => self.on_upkeep(router),
            Ev::Probed { router, endpoint, healthy } => self.on_probed(router, endpoint, healthy),
            Ev::Push { router, version } => self.on_push(router, version),
            Ev::Neighbours { router, version } => self.on_neighbours(router, version),
            Ev::DnsShows { service, version } => self.on_dns_shows(service, version),
            Ev::WarmupOver => self.on_warmup_over(),
            Ev::MeasureOver => self.on_measure_over(),
            Ev::FaultOn { fault } => self.on_fault_on(fault),
            Ev::FaultOff { fault } => self.on_fault_off(fault),
            Ev::FaultGrows { fault, times } => self.on_fault_grows(fault, times),
            Ev::Strike { fault, task, times } => self.on_strike(fault, task, times),
            Ev::Resume { task } => self.on_resume(task),
            Ev::OutOfMemory { task } => self.on_out_of_memory(task),
            Ev::Cut { call, attempt } => self.on_cut(call, attempt),
            Ev::Registered { task, path } => self.on_registered(task, path),
            Ev::Scale { scale } => self.on_scale(scale),
            Ev::Deploy { deploy } => self.on_deploy(deploy),
            Ev::Running { task } => self.on_running(task),
            Ev::AppExits { task } => self.on_app_exits(task),
            Ev::Deaf { task } => self.on_deaf(task),
            Ev::Reclaimed { task } => self.on_reclaimed(task),
            Ev::TaskReady { task } => self.on_task_ready(task),
            Ev::Check { task } => self.on_check(task),
            Ev::Settled { task } => self.on_settled(task),
            Ev::Draining { task, until } => self.on_draining(task, until),
            Ev::Sigterm { task } => self.order_sigterm(task),
            Ev::Sigkill { task } => self.on_sigkill(task),
            Ev::TaskGone { task } => self.on_task_gone(task),
            Ev::Noticed { task } => self.on_noticed(task),
            Ev::Reconcile { service } => self.reconcile(service),
            Ev::Datapoint { scaling } => self.on_datapoint(scaling),
            Ev::WindowEdge { window, open } => {
                let window = self.scenario.windows()[window as usize];
                self.recorder.set_windows(self.engine.now(), open, |w| w == window);
            }
            Ev::HealthShown { task } => self.on_health_shown(task),
            Ev::ProxyDies { task } => self.crash_sidecar(task),
            Ev::ProxyBack { task } => self.on_proxy_back(task),
            Ev::DeployTimer { service, serial } => self.on_deploy_timer(service, serial),
            Ev::AlarmDue { service, serial } => self.on_alarm_due(service, serial),
            Ev::RollBack { service, serial } => self.on_roll_back(service, serial),
            Ev::Created { service } => self.on_created(service),
            Ev::Migrate { step } => self.on_migrate(step),
            Ev::Metered => self.on_metered(),
        }
    }

    /// A line in the log.
    pub(super) fn log(&mut self, kind: HappeningKind, by: u32, task: u32) {
        let now = self.engine.now();
        self.recorder.happened(now, kind, by, task, None);
    }

    fn on_warmup_over(&mut self) {
        let now = self.engine.now();
        for state in &mut self.services {
            state.measured_from = state.queueing.at(now);
        }
        self.recorder.choose_segment(now);
        self.restart_meter();
    }

    fn on_measure_over(&mut self) {
        let now = self.engine.now();
        let measured = self.scenario.run.duration.less(self.scenario.run.warmup);
        for (state, record) in self.services.iter_mut().zip(&mut self.recorder.recording.services) {
            *record = state.queueing.at(now).less(&state.measured_from);
            record.measured = measured;
        }
        self.read_meter(measured);
    }

    fn close_services(&mut self, now: Time) {
        let duration = Time::ZERO + self.scenario.run.duration;
        if now < duration {
            // Cut short: what there is, up to here.
            for (state, record) in self.services.iter_mut().zip(&mut self.recorder.recording.services) {
                *record = state.queueing.at(now).less(&state.measured_from);
                record.measured = now.since(Time::ZERO + self.scenario.run.warmup);
            }
            self.read_meter(now.since(Time::ZERO + self.scenario.run.warmup));
        }
        let mut residual = vec![0_u128; self.services.len()];
        for (_, job) in self.jobs.refs() {
            if job.counted {
                residual[self.tasks[job.task as usize].service as usize] +=
                    u128::from(now.since(job.entered).as_nanos());
            }
        }
        let books = &mut self.recorder.recording.books;
        for ((state, residual), service) in self.services.iter_mut().zip(residual).zip(&self.scenario.services) {
            let total = state.queueing.at(now);
            let sum = total.sojourn + residual;
            if total.area_in_service > 0 || sum > 0 {
                // Little's law in its exact form: the integral of the number there is the sum of the stays.
                let error = total.area_in_service.abs_diff(sum) as f64 / total.area_in_service.max(sum) as f64;
                books.little_error = Some(books.little_error.unwrap_or(0.0).max(error));
                if error > 0.0 {
                    books.problems.push(format!(
                        "Little's law fails in {}: {} request-ns by the clock, {sum} by the requests",
                        service.name, total.area_in_service
                    ));
                }
            }
        }
    }

    /// The service a member key of a router leads to is a task, or an ALB node.
    pub(super) fn member_task(member: MemberKey) -> Option<u32> {
        (member.0 >> 32 == 0).then_some(member.0 as u32)
    }
}
