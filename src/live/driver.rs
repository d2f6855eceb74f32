//! Drives a [`Router`] on the runtime's clock: a loop per request, a job per connection being
//! made or probe, one job for the timer of housekeeping.
//!
//! *Knows* the policy's contract and nothing of its rules; what an attempt is made of is the
//! [`Backend`]'s affair.
//! Invariants: the lock is never held across an await; every call on the router is followed by a
//! drain of its upkeep under the same lock; a request that is dropped is abandoned.

use super::clock::Chance;
use super::clock::Clock;
use super::clock::Occasion;
use super::upstream::Backend;
use super::upstream::Exchange;
use crate::policy::Ask;
use crate::policy::AttemptNo;
use crate::policy::ConnKey;
use crate::policy::Cx;
use crate::policy::EndpointId;
use crate::policy::FactSink;
use crate::policy::Flight;
use crate::policy::Member;
use crate::policy::MemberKey;
use crate::policy::Outcome;
use crate::policy::PolicyConfig;
use crate::policy::RequestKey;
use crate::policy::Router;
use crate::policy::Step;
use crate::policy::Trouble;
use crate::policy::Try;
use crate::policy::Upkeep;
use crate::policy::Verdict;
use crate::units::Span;
use crate::units::Time;
use std::collections::BTreeMap;
use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::task::Poll;
use tokio::runtime::Handle;
use tokio::select;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// A router at work on one runtime. Dropping it ends its housekeeping; share it in an [`Arc`].
pub struct Driver<B: Backend> {
    shared: Arc<Shared<B>>,
    timer: AbortHandle,
}

/// How a request came to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished<A> {
    /// What the policy made of it.
    pub verdict: Verdict,
    /// The endpoint's answer, if the verdict is one.
    pub answer: Option<A>,
}

struct Shared<B: Backend> {
    state: Mutex<State>,
    backend: B,
    clock: Clock,
    runtime: Handle,
    /// Rung when housekeeping is due earlier than its job believes.
    timer: Notify,
}

struct State {
    router: Router,
    chance: Box<dyn Chance>,
    facts: Box<dyn FactSink + Send>,
    bells: BTreeMap<RequestKey, Arc<Notify>>,
    requests: u64,
    /// What the housekeeping job sleeps for.
    timer_at: Time,
}

impl<B: Backend> Driver<B> {
    /// Starts a router that knows nobody yet.
    ///
    /// # Panics
    /// Outside a runtime, or if the configuration does not pass [`PolicyConfig::check`].
    pub fn start(
        config: Arc<PolicyConfig>,
        backend: B,
        chance: Box<dyn Chance>,
        facts: Box<dyn FactSink + Send>,
    ) -> Driver<B> {
        let state = State {
            router: Router::new(config),
            chance,
            facts,
            bells: BTreeMap::new(),
            requests: 0,
            timer_at: Time::NEVER,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            backend,
            clock: Clock::start(),
            runtime: Handle::current(),
            timer: Notify::new(),
        });
        let timer = tokio::spawn(keep_up(shared.clone())).abort_handle();
        Driver { shared, timer }
    }

    /// A new list of endpoints is in force.
    pub fn set_members(&self, list: &[Member], valid_for: Option<Span>) {
        self.shared.call(Occasion::World, |router, cx| router.on_members(cx, list, valid_for));
    }

    /// The peer of that name closed all its connections.
    pub fn peer_gone(&self, member: MemberKey) {
        self.shared.call(Occasion::World, |router, cx| router.on_peer_gone(cx, member));
    }

    /// Sends a request and waits for its end. Dropping the future abandons the request.
    ///
    /// `timeout` overrides the configured request time-out; `idempotent` says that it may be
    /// repeated although it may have been acted on.
    pub async fn request(&self, request: &B::Request, timeout: Option<Span>, idempotent: bool) -> Finished<B::Answer> {
        let mut held = Held::begin(&self.shared, timeout, idempotent);
        let (backend, clock) = (&self.shared.backend, self.shared.clock);
        // One, unless a slow attempt goes on beside its retry.
        let mut open: Vec<Open<'_, B::Answer>> = Vec::new();
        let mut answer = None;
        loop {
            let until = match held.step() {
                Step::Try(attempt) => {
                    let exchange = Box::pin(async move { backend.send(&attempt, request).await });
                    open.push(Open { attempt, give_up_at: attempt.give_up_at, exchange });
                    held.deadline()
                }
                Step::Wait { until } => until.unwrap_or(Time::NEVER),
                Step::Resolve => {
                    // A job of its own: others wait for the names too, and this request may go away.
                    self.shared.runtime.spawn(resolve(self.shared.clone(), held.bell.clone()));
                    held.deadline()
                }
                Step::Done(verdict) => return Finished { verdict, answer },
            };
            // What came back so far was not the end.
            answer = None;
            let patience = open.iter().map(|one| one.give_up_at).min().unwrap_or(Time::NEVER);
            select! {
                biased;
                (at, exchange) = first(&mut open) => {
                    let attempt = open.remove(at).attempt;
                    held.report(&attempt, exchange.outcome, exchange.reusable);
                    answer = exchange.answer;
                }
                () = clock.sleep_until(patience) => {
                    if let Some(one) = open.iter_mut().find(|one| one.give_up_at == patience) {
                        one.give_up_at = Time::NEVER;
                        held.report(&one.attempt, Outcome::Failed(one.attempt.then), true);
                    }
                }
                () = held.bell.notified() => {}
                () = clock.sleep_until(until) => {}
            }
            // Whose attempt is over need not go on.
            open.retain(|one| held.is_open(one.attempt.attempt));
        }
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        &self.shared.backend
    }

    /// Looks at the router.
    pub fn inspect<T>(&self, look: impl FnOnce(&Router) -> T) -> T {
        look(&self.shared.lock().router)
    }
}

impl<B: Backend> Drop for Driver<B> {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

impl<B: Backend> Shared<B> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under the lock but a bug in the policy")
    }

    /// Calls the router and does what it wants done.
    fn call<T>(self: &Arc<Self>, occasion: Occasion, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> T) -> T {
        let mut state = self.lock();
        self.call_locked(&mut state, occasion, what)
    }

    fn call_locked<T>(
        self: &Arc<Self>,
        state: &mut State,
        occasion: Occasion,
        what: impl FnOnce(&mut Router, &mut Cx<'_>) -> T,
    ) -> T {
        // Read under the lock, so that no call goes back in time.
        let now = self.clock.now();
        let result = state.with(occasion, now, what);
        while let Some(upkeep) = state.with(Occasion::Upkeep, now, Router::poll_upkeep) {
            self.act(state, upkeep);
        }
        if state.router.upkeep_due() < state.timer_at {
            self.timer.notify_one();
        }
        result
    }

    fn act(self: &Arc<Self>, state: &State, upkeep: Upkeep) {
        match upkeep {
            Upkeep::Wake { request } => {
                if let Some(bell) = state.bells.get(&request) {
                    bell.notify_one();
                }
            }
            Upkeep::Connect { member, conn, give_up_at, .. } => {
                self.runtime.spawn(dial(self.clone(), member, conn, give_up_at));
            }
            Upkeep::Close { conn } => self.backend.close(conn),
            Upkeep::Probe { endpoint, member, give_up_at } => {
                self.runtime.spawn(probe(self.clone(), endpoint, member, give_up_at));
            }
        }
    }
}

impl State {
    fn with<T>(&mut self, occasion: Occasion, now: Time, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> T) -> T {
        let rng = self.chance.words(occasion, now);
        what(&mut self.router, &mut Cx { now, rng, facts: &mut *self.facts })
    }
}

/// A flight and its bell; what it holds is returned when this is dropped.
struct Held<'a, B: Backend> {
    shared: &'a Arc<Shared<B>>,
    bell: Arc<Notify>,
    request: RequestKey,
    /// `None` only while being dropped.
    flight: Option<Flight>,
}

impl<'a, B: Backend> Held<'a, B> {
    fn begin(shared: &'a Arc<Shared<B>>, timeout: Option<Span>, idempotent: bool) -> Held<'a, B> {
        let bell = Arc::new(Notify::new());
        let mut state = shared.lock();
        let request = RequestKey(state.requests);
        state.requests += 1;
        state.bells.insert(request, bell.clone());
        let ask = Ask { timeout, idempotent, ..Ask::of(request) };
        let occasion = Occasion::Step { request, attempts: 0 };
        let flight = shared.call_locked(&mut state, occasion, |router, cx| router.begin(cx, ask));
        Held { shared, bell, request, flight: Some(flight) }
    }

    fn step(&mut self) -> Step {
        let flight = self.flight.as_mut().expect("taken in drop only");
        let occasion = Occasion::Step { request: self.request, attempts: flight.attempts() };
        self.shared.call(occasion, |router, cx| router.step(cx, flight))
    }

    fn report(&mut self, attempt: &Try, outcome: Outcome, reusable: bool) {
        let flight = self.flight.as_mut().expect("taken in drop only");
        let occasion = Occasion::Report { request: self.request, attempt: attempt.attempt };
        self.shared.call(occasion, |router, cx| {
            if !reusable {
                router.on_conn_closed(cx, attempt.conn);
            }
            router.report(cx, flight, attempt.attempt, outcome);
        });
    }

    fn is_open(&self, attempt: AttemptNo) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.is_open(attempt))
    }

    fn deadline(&self) -> Time {
        self.flight.as_ref().map_or(Time::NEVER, Flight::deadline)
    }
}

impl<B: Backend> Drop for Held<'_, B> {
    fn drop(&mut self) {
        // A poisoned lock means that a panic is already under way.
        let Ok(mut state) = self.shared.state.lock() else { return };
        state.bells.remove(&self.request);
        if let Some(flight) = self.flight.take() {
            let occasion = Occasion::Step { request: self.request, attempts: flight.attempts() };
            self.shared.call_locked(&mut state, occasion, |router, cx| router.abandon(cx, flight));
        }
    }
}

/// An attempt under way.
struct Open<'a, A> {
    attempt: Try,
    /// [`Time::NEVER`] once it has passed.
    give_up_at: Time,
    exchange: Pin<Box<dyn Future<Output = Exchange<A>> + Send + 'a>>,
}

/// The first exchange that ends, with its place; none ends where there is none.
async fn first<A>(open: &mut [Open<'_, A>]) -> (usize, Exchange<A>) {
    poll_fn(|cx| {
        for (at, one) in open.iter_mut().enumerate() {
            if let Poll::Ready(exchange) = one.exchange.as_mut().poll(cx) {
                return Poll::Ready((at, exchange));
            }
        }
        Poll::Pending
    })
    .await
}

/// Wakes the router when its housekeeping is due.
async fn keep_up<B: Backend>(shared: Arc<Shared<B>>) {
    loop {
        let due = {
            let mut state = shared.lock();
            state.timer_at = state.router.upkeep_due();
            state.timer_at
        };
        select! {
            biased;
            () = shared.timer.notified() => {}
            // A call on the router that does nothing: the drain after it is what is wanted.
            () = shared.clock.sleep_until(due) => shared.call(Occasion::Upkeep, |_, _| ()),
        }
    }
}

async fn dial<B: Backend>(shared: Arc<Shared<B>>, member: MemberKey, conn: ConnKey, give_up_at: Time) {
    let result = select! {
        biased;
        result = shared.backend.dial(member, conn) => result,
        () = shared.clock.sleep_until(give_up_at) => Err(Trouble::ConnectTimeout),
    };
    shared.call(Occasion::World, |router, cx| match result {
        Ok(()) if router.knows(conn) => router.on_connected(cx, conn),
        // Given up in the meantime.
        Ok(()) => shared.backend.close(conn),
        Err(trouble) => router.on_connect_failed(cx, conn, trouble),
    });
}

async fn probe<B: Backend>(shared: Arc<Shared<B>>, endpoint: EndpointId, member: MemberKey, give_up_at: Time) {
    let healthy = select! {
        biased;
        healthy = shared.backend.probe(member) => healthy,
        () = shared.clock.sleep_until(give_up_at) => false,
    };
    shared.call(Occasion::World, |router, cx| router.on_probe(cx, endpoint, healthy));
}

/// Looks the name up for the request behind `bell` and for all others that wait.
async fn resolve<B: Backend>(shared: Arc<Shared<B>>, bell: Arc<Notify>) {
    let names = shared.backend.resolve().await;
    shared.call(Occasion::World, |router, cx| {
        match names {
            Some(names) => router.on_members(cx, &names.list, Some(names.valid_for)),
            None => router.on_lookup_failed(cx),
        }
        // Under the lock, or it might step before the names are there; and first, as it asked first.
        bell.notify_one();
    });
}
