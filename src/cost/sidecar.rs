//! What proxies beside tasks cost: which size each needs, and three readings of what that size adds to the bill.
//!
//! *Knows* AWS's sizing rule (ECS Developer Guide, service-connect-concepts-deploy; aws.md 1.7) and that Fargate sells
//! sizes and no parts of them. *Does not know* what the proxies carry. Readings: it fits into what the tasks have; its own
//! CPU and memory, which nobody sells; the task in the next size on sale, which is what the bill shows.

pub(super) mod readings;

use super::amount::Amount;
use super::lines::Group;
use super::lines::Line;
use super::lines::begun;
use super::lines::dollars;
use super::lines::no_price;
use super::month::Month;
use crate::scenario::Arch;
use crate::scenario::Cost;
use crate::scenario::Enrolment;
use crate::scenario::Instance;
use crate::scenario::LaunchType;
use crate::scenario::PriceItem;
use crate::scenario::Reading;
use crate::scenario::Scenario;
use crate::scenario::SidecarPlane;
use crate::scenario::SidecarSize;
use crate::scenario::cost::fargate;
use crate::scenario::cost::fargate::TaskSize;
use crate::units::Bytes;
use crate::units::Cpu;
use crate::units::Money;

/// The size that AWS's rule begins with: 256 CPU units and 64 MiB.
pub(super) const BASE: (Cpu, Bytes) = (Cpu::from_millis(250), Bytes::new(64 << 20));
/// Above 500 requests per second and task at peak: 512 CPU units in all (read so, and not as 256 + 512).
const BUSY_CPU: Cpu = Cpu::from_millis(500);
/// In thousandths of a request per second.
const BUSY_RATE: u64 = 500_000;
/// Above 100 services or 2,000 tasks in the namespace: 128 MiB in all.
const LARGE_MEMORY: Bytes = Bytes::new(128 << 20);
const LARGE_SERVICES: usize = 100;
const LARGE_TASKS: u64 = 2_000;

/// The sidecar of one service's tasks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SidecarNeed {
    /// Its processor share.
    pub cpu: Cpu,
    /// Its memory.
    pub memory: Bytes,
    /// Why that size.
    pub why: String,
    /// The task's size without it.
    pub now: TaskSize,
    /// The next size on sale with room for both; `None` past the largest, and off Fargate.
    pub next: Option<TaskSize>,
    /// It fits into what the task has and does not use; `None` where nothing was measured.
    pub fits: Option<bool>,
    /// Dollars a month for its own CPU and memory, per task.
    pub exact: Option<Money>,
    /// Of that, the CPU.
    pub exact_cpu: Option<Money>,
    /// Dollars a month for the task without it.
    pub task: Option<Money>,
    /// Dollars a month for the step to the next size, per task.
    pub step: Option<Money>,
    /// Tasks in thousandths, by replication; one value where nothing varies.
    pub tasks: Vec<u64>,
}

impl SidecarNeed {
    /// Dollars a month per task by a reading.
    pub fn per_task(&self, reading: Reading) -> Option<Money> {
        match reading {
            Reading::Fits => Some(Money::ZERO),
            Reading::Exact => self.exact,
            Reading::NextSize => self.step,
        }
    }
}

/// All proxies of one plane.
pub(super) struct Fleet<'a> {
    pub(super) cost: &'a Cost,
    /// By service.
    pub(super) needs: Vec<Option<SidecarNeed>>,
}

impl<'a> Fleet<'a> {
    /// The proxies of a plane; `None` where it has none. What was rounded up to a size on sale is noted.
    pub(super) fn of(
        scenario: &'a Scenario,
        plane: usize,
        month: &Month<'_>,
        notes: &mut Vec<String>,
    ) -> Option<Fleet<'a>> {
        let facts = &scenario.planes[plane];
        let sidecar = facts.sidecar()?;
        if facts.not_applicable.is_some() {
            return None;
        }
        let mut calls = vec![false; scenario.services.len()];
        for edge in &scenario.edges {
            calls[edge.from.0 as usize] = true;
        }
        let has_one = |number: usize| {
            let service = &scenario.services[number];
            !service.external && service.service_connect != Enrolment::None && (sidecar.inbound || calls[number])
        };
        let members: Vec<bool> = (0..scenario.services.len()).map(has_one).collect();
        let count = members.iter().filter(|member| **member).count();
        let tasks: u64 =
            members.iter().zip(&scenario.services).filter(|(m, _)| **m).map(|(_, s)| u64::from(s.tasks)).sum();
        let large = count > LARGE_SERVICES || tasks > LARGE_TASKS;
        let needs = members
            .iter()
            .enumerate()
            .map(|(number, member)| member.then(|| need(scenario, number, sidecar, large, month)))
            .collect();
        let fleet = Fleet { cost: &scenario.cost, needs };
        if large {
            note(notes, &format!("{count} services and {tasks} tasks in the namespace: AWS asks for 128 MiB a proxy"));
        }
        Some(fleet)
    }

    pub(super) fn needs(&self) -> Vec<Option<SidecarNeed>> {
        self.needs.clone()
    }

    /// The needs with the same price, their tasks added up, in order of first appearance.
    fn alike(&self) -> Vec<SidecarNeed> {
        let mut kinds: Vec<SidecarNeed> = Vec::new();
        for need in self.needs.iter().flatten() {
            let same = |kind: &&mut SidecarNeed| {
                (kind.now, kind.next, kind.cpu, kind.memory, kind.fits)
                    == (need.now, need.next, need.cpu, need.memory, need.fits)
            };
            match kinds.iter_mut().find(same) {
                Some(kind) => add(&mut kind.tasks, &need.tasks),
                None => kinds.push(need.clone()),
            }
        }
        kinds
    }

    /// The lines of one reading.
    pub(super) fn lines(&self, reading: Reading) -> Vec<Line> {
        let kinds = self.alike();
        if kinds.is_empty() {
            return Vec::new();
        }
        match (reading, self.cost.launch_type) {
            (Reading::Fits, _) => {
                let (in_room, beyond): (Vec<_>, Vec<_>) = kinds.into_iter().partition(|kind| kind.fits != Some(false));
                let mut lines = free(self.cost, &in_room);
                lines.extend(self.steps(&beyond));
                lines
            }
            (Reading::Exact, LaunchType::Ec2) => self.shares(&kinds),
            (Reading::Exact, _) => self.exact(&kinds),
            (Reading::NextSize, LaunchType::Ec2) => self.instances(&kinds),
            (Reading::NextSize, _) => self.steps(&kinds),
        }
    }

    /// CPU and memory of the proxies alone, as if they were sold.
    fn exact(&self, kinds: &[SidecarNeed]) -> Vec<Line> {
        let Ok((vcpu, gb)) = items(self.cost) else { return vec![self.nothing_sold(kinds)] };
        let mut sizes: Vec<(Cpu, Bytes, Vec<u64>)> = Vec::new();
        for kind in kinds {
            match sizes.iter_mut().find(|(cpu, memory, _)| (*cpu, *memory) == (kind.cpu, kind.memory)) {
                Some((_, _, tasks)) => add(tasks, &kind.tasks),
                None => sizes.push((kind.cpu, kind.memory, kind.tasks.clone())),
            }
        }
        let mut lines = Vec::new();
        let hours = self.cost.hours;
        for (cpu, memory, tasks) in sizes {
            let share = (u128::from(cpu.as_millis()), 1_000);
            let size = cpu.to_string();
            lines.push(self.part("sidecar CPU", vcpu, &tasks, share, &size, hours));
            let share = (u128::from(memory.get()), 1 << 30);
            lines.push(self.part("sidecar memory", gb, &tasks, share, &gigabytes(memory), hours));
        }
        lines
    }

    fn part(&self, item: &str, priced: PriceItem, tasks: &[u64], of: (u128, u128), size: &str, hours: u64) -> Line {
        let mut line = begun(self.cost, Group::Sidecar, item, priced, priced.key().2);
        let shown = line.unit_price.map_or_else(|| "?".to_owned(), dollars);
        line.formula = format!("{} × {hours} h × {size} × {shown}", tasks_shown(tasks));
        line.quantity = Some(mean(tasks) * hours as f64 * (of.0 as f64 / of.1 as f64));
        if let Some(price) = line.unit_price {
            line.amount = spread(tasks, |tasks| price.part(u128::from(tasks) * u128::from(hours) * of.0, of.1 * 1_000));
        }
        line
    }

    /// Each task in the next size that Fargate sells.
    fn steps(&self, kinds: &[SidecarNeed]) -> Vec<Line> {
        if self.cost.launch_type == LaunchType::Ec2 {
            return self.instances(kinds);
        }
        let Ok((vcpu, gb)) = items(self.cost) else { return vec![self.nothing_sold(kinds)] };
        let hours = self.cost.hours;
        let one = |kind: &SidecarNeed| {
            let mut line = begun(self.cost, Group::Sidecar, "", vcpu, "task-month");
            line.quantity = Some(mean(&kind.tasks));
            line.unit_price = kind.step;
            let prices = (self.cost.prices.get(vcpu), self.cost.prices.get(gb));
            if let (Some(first), Some(second)) = prices {
                line.confidence = worst(first.confidence, second.confidence);
            }
            let Some(next) = kind.next else {
                line.item = format!("task {} with its sidecar", kind.now);
                "no size that Fargate sells has room".clone_into(&mut line.formula);
                line.amount = Amount::Unknown(format!("Fargate sells nothing larger than {} with a sidecar", kind.now));
                return line;
            };
            line.item = format!("task {} becomes {next}", kind.now);
            let more_cpu = Cpu::from_millis(next.cpu.as_millis() - kind.now.cpu.as_millis());
            let more_memory = Bytes::new(next.memory.get() - kind.now.memory.get());
            let shown =
                |price: Option<&crate::scenario::Price>| price.map_or_else(|| "?".to_owned(), |p| dollars(p.amount));
            line.formula = format!(
                "{} × {hours} h × ({more_cpu} × {} + {} × {})",
                tasks_shown(&kind.tasks),
                shown(prices.0),
                gigabytes(more_memory),
                shown(prices.1)
            );
            line.amount = match kind.step {
                Some(step) => spread(&kind.tasks, |tasks| step.part(u128::from(tasks), 1_000)),
                None => Amount::Unknown(no_price(self.cost, if prices.0.is_none() { vcpu } else { gb })),
            };
            line
        };
        kinds.iter().map(one).collect()
    }

    /// On EC2: the share of an instance that proxies reserve, by whichever of CPU and memory it has less of.
    fn shares(&self, kinds: &[SidecarNeed]) -> Vec<Line> {
        let hours = self.cost.hours;
        let one = |kind: &SidecarNeed| {
            let Some(instance) = &self.cost.prices.instance else { return self.no_instance() };
            let mut line =
                begun(self.cost, Group::Sidecar, "share of an instance", PriceItem::Instance, "instance-hour");
            let (top, bottom) = dominant(kind.cpu, kind.memory, instance);
            let shown = line.unit_price.map_or_else(|| "?".to_owned(), dollars);
            let percent = super::amount::plain(top as f64 / bottom as f64 * 100.0);
            line.formula =
                format!("{} × {hours} h × {percent} % of {} × {shown}", tasks_shown(&kind.tasks), instance.name);
            line.quantity = Some(mean(&kind.tasks) * hours as f64 * top as f64 / bottom as f64);
            if let Some(price) = line.unit_price {
                line.amount = spread(&kind.tasks, |tasks| {
                    price.part(u128::from(tasks) * u128::from(hours) * top, bottom * 1_000)
                });
            }
            line
        };
        kinds.iter().map(one).collect()
    }

    /// On EC2: instances that are bought because the reservations of the proxies no longer fit.
    fn instances(&self, kinds: &[SidecarNeed]) -> Vec<Line> {
        let Some(instance) = &self.cost.prices.instance else { return vec![self.no_instance()] };
        let hours = self.cost.hours;
        let mut line = begun(self.cost, Group::Sidecar, "more instances", PriceItem::Instance, "instance-hour");
        let length = kinds.iter().map(|kind| kind.tasks.len()).max().unwrap_or(1);
        let needed = |at: usize, with: bool| {
            let (mut cpu, mut memory) = (0_u128, 0_u128);
            for kind in kinds {
                let tasks = u128::from(kind.tasks[at.min(kind.tasks.len() - 1)]);
                let own = if with { kind.now.with(kind.cpu, kind.memory) } else { kind.now };
                cpu += tasks * u128::from(own.cpu.as_millis());
                memory += tasks * u128::from(own.memory.get());
            }
            let by_cpu = cpu.div_ceil(1_000 * u128::from(instance.cpu.as_millis()));
            by_cpu.max(memory.div_ceil(1_000 * u128::from(instance.memory.get())))
        };
        let more: Vec<u64> = (0..length).map(|at| (needed(at, true) - needed(at, false)) as u64 * 1_000).collect();
        let shown = line.unit_price.map_or_else(|| "?".to_owned(), dollars);
        let (with, without) = (needed(0, true), needed(0, false));
        line.formula = format!("({with} − {without}) {} × {hours} h × {shown}, packed without gaps", instance.name);
        line.quantity = Some(mean(&more) * hours as f64);
        if let Some(price) = line.unit_price {
            line.amount = spread(&more, |more| price.part(u128::from(more) * u128::from(hours), 1_000));
        }
        vec![line]
    }

    fn no_instance(&self) -> Line {
        let mut line = begun(self.cost, Group::Sidecar, "instances", PriceItem::Instance, "instance-hour");
        line.amount = Amount::Unknown(no_price(self.cost, PriceItem::Instance));
        line
    }

    fn nothing_sold(&self, kinds: &[SidecarNeed]) -> Line {
        let mut line = begun(self.cost, Group::Sidecar, "sidecar", PriceItem::FargateArmVcpu, "task-month");
        line.quantity = Some(kinds.iter().map(|kind| mean(&kind.tasks)).sum());
        line.unit_price = None;
        line.amount = Amount::Unknown(items(self.cost).err().unwrap_or_default());
        line
    }
}

/// Nothing to pay: there is room.
fn free(cost: &Cost, kinds: &[SidecarNeed]) -> Vec<Line> {
    let Some(first) = kinds.first() else { return Vec::new() };
    let mut tasks = vec![0; first.tasks.len()];
    for kind in kinds {
        add(&mut tasks, &kind.tasks);
    }
    let known = kinds.iter().all(|kind| kind.fits.is_some());
    vec![Line {
        group: Group::Sidecar,
        item: "sidecars in today's head-room".to_owned(),
        quantity: Some(mean(&tasks)),
        unit: "task-month".to_owned(),
        unit_price: Some(Money::ZERO),
        amount: Amount::Fixed(Money::ZERO),
        formula: format!(
            "{}, {}",
            tasks_shown(&tasks),
            if known { "room was measured" } else { "taken to have room: nothing was measured" }
        ),
        source: if cost.measured_cpu.is_some() { "measured_cpu in [cost]" } else { "the simulated load" }.to_owned(),
        confidence: if known { crate::scenario::Confidence::User } else { crate::scenario::Confidence::Guess },
    }]
}

/// What a service's proxy needs.
fn need(scenario: &Scenario, number: usize, sidecar: &SidecarPlane, large: bool, month: &Month<'_>) -> SidecarNeed {
    let (cost, service) = (&scenario.cost, &scenario.services[number]);
    let by_rule = cost.sidecar == SidecarSize::Rule && (sidecar.cpu, sidecar.memory) == BASE;
    let (mut cpu, mut memory, mut why) = (sidecar.cpu, sidecar.memory, "as the plane says".to_owned());
    if by_rule {
        "AWS's rule: 256 CPU units, 64 MiB".clone_into(&mut why);
        match month.task_rate_max(number) {
            Some(rate) if rate > BUSY_RATE => {
                cpu = BUSY_CPU;
                why = format!("AWS's rule: 512 CPU units above 500 requests/s a task, here {}", rate / 1_000);
            }
            Some(_) => {}
            None => why.push_str("; the rate is not known, 256 is the least"),
        }
        if large {
            memory = LARGE_MEMORY;
            why.push_str("; 128 MiB in a large namespace");
        }
    }
    let written = TaskSize { cpu: service.cpu, memory: service.memory };
    let on_fargate = cost.launch_type != LaunchType::Ec2;
    // Not on sale: only where no bill was asked for; otherwise the file was refused.
    let now = if on_fargate { fargate::next(written).unwrap_or(written) } else { written };
    let next = if on_fargate { fargate::next(written.with(cpu, memory)) } else { None };
    let price = |size: TaskSize| price_of(cost, size.cpu, size.memory);
    let exact = match (&cost.prices.instance, cost.launch_type) {
        (Some(instance), LaunchType::Ec2) => cost.prices.get(PriceItem::Instance).map(|price| {
            let (top, bottom) = dominant(cpu, memory, instance);
            price.amount.part(u128::from(cost.hours) * top, bottom)
        }),
        (None, LaunchType::Ec2) => None,
        _ => price_of(cost, cpu, memory),
    };
    let exact_cpu = if on_fargate { price_of(cost, cpu, Bytes::new(0)) } else { exact };
    let step = next.and_then(|next| Some(price(next)? - price(now)?));
    let fits = used(cost, number, month).map(|used| {
        let left = |all: u64, used: u32| u128::from(all) * u128::from(1_000_000 - used.min(1_000_000));
        let needs = |wanted: u64| u128::from(wanted) * 1_000_000;
        let memory_used = cost.measured_memory.map_or(0, crate::units::Ratio::as_ppm);
        left(u64::from(written.cpu.as_millis()), used) >= needs(u64::from(cpu.as_millis()))
            && left(written.memory.get(), memory_used) >= needs(memory.get())
    });
    SidecarNeed {
        cpu,
        memory,
        why,
        now,
        next,
        fits,
        exact,
        exact_cpu,
        task: price(now),
        step,
        tasks: month.tasks(number),
    }
}

/// The share of a task's CPU that is in use at its peak, parts per million: what the file says was measured, else the
/// busiest second of its simulated servers; `None` where a task has no limit of those.
fn used(cost: &Cost, number: usize, month: &Month<'_>) -> Option<u32> {
    if let Some(measured) = cost.measured_cpu {
        return Some(measured.as_ppm());
    }
    let busy = month.replicas().iter().map(|replica| &replica.services[number]).filter(|s| s.area_servers > 0);
    busy.map(|service| service.busy_max_ppm).max()
}

/// Of an instance: the larger of the shares of CPU and memory.
fn dominant(cpu: Cpu, memory: Bytes, instance: &Instance) -> (u128, u128) {
    let by_cpu = (u128::from(cpu.as_millis()), u128::from(instance.cpu.as_millis()));
    let by_memory = (u128::from(memory.get()), u128::from(instance.memory.get()));
    if by_cpu.0 * by_memory.1 >= by_memory.0 * by_cpu.1 { by_cpu } else { by_memory }
}

/// The items that a Fargate task is billed by.
pub(super) fn items(cost: &Cost) -> Result<(PriceItem, PriceItem), String> {
    match (cost.launch_type, cost.arch) {
        (LaunchType::Fargate, Arch::X86) => Ok((PriceItem::FargateX86Vcpu, PriceItem::FargateX86Gb)),
        (LaunchType::Fargate, Arch::Arm) => Ok((PriceItem::FargateArmVcpu, PriceItem::FargateArmGb)),
        (LaunchType::Spot, Arch::X86) => Ok((PriceItem::SpotVcpu, PriceItem::SpotGb)),
        (LaunchType::Spot, Arch::Arm) => Ok((PriceItem::SpotArmVcpu, PriceItem::SpotArmGb)),
        (LaunchType::Ec2, _) => Err("EC2 sells instances".to_owned()),
    }
}

/// Dollars for a month of a task with that CPU and memory, to the nearest nano-dollar each.
pub(super) fn price_of(cost: &Cost, cpu: Cpu, memory: Bytes) -> Option<Money> {
    let (vcpu, gb) = items(cost).ok()?;
    let (vcpu, gb) = (cost.prices.get(vcpu)?.amount, cost.prices.get(gb)?.amount);
    let hours = u128::from(cost.hours);
    Some(vcpu.part(u128::from(cpu.as_millis()) * hours, 1_000) + gb.part(u128::from(memory.get()) * hours, 1 << 30))
}

/// What the tasks cost without anything beside them.
pub(super) fn tasks_themselves(scenario: &Scenario, notes: &mut Vec<String>) -> Option<Money> {
    let cost = &scenario.cost;
    if cost.launch_type == LaunchType::Ec2 {
        return None;
    }
    let mut sum = Money::ZERO;
    for service in scenario.services.iter().filter(|service| !service.external) {
        let written = TaskSize { cpu: service.cpu, memory: service.memory };
        let size = fargate::next(written)?;
        if size != written {
            note(notes, &format!("`{}`: Fargate sells no task of {written}, so it is billed as {size}", service.name));
        }
        sum += price_of(cost, size.cpu, size.memory)?.times(u64::from(service.tasks));
    }
    Some(sum)
}

fn note(notes: &mut Vec<String>, text: &str) {
    if !notes.iter().any(|other| other == text) {
        notes.push(text.to_owned());
    }
}

/// Adds task counts, one for all where a side does not vary.
pub(super) fn add(sum: &mut Vec<u64>, more: &[u64]) {
    if more.len() > sum.len() {
        let last = *sum.last().unwrap_or(&0);
        sum.resize(more.len(), last);
    }
    for (at, slot) in sum.iter_mut().enumerate() {
        *slot += more[at.min(more.len() - 1)];
    }
}

pub(super) fn mean(tasks: &[u64]) -> f64 {
    tasks.iter().sum::<u64>() as f64 / tasks.len().max(1) as f64 / 1e3
}

fn tasks_shown(tasks: &[u64]) -> String {
    let many = mean(tasks);
    format!("{} {}", super::amount::plain(many), if (many - 1.0).abs() < 1e-9 { "task" } else { "tasks" })
}

fn spread(tasks: &[u64], money: impl Fn(u64) -> Money) -> Amount {
    match tasks {
        [one] => Amount::Fixed(money(*one)),
        many => Amount::Each(many.iter().map(|tasks| money(*tasks)).collect()),
    }
}

/// "0.0625 GB", of 1,024 MiB each.
fn gigabytes(memory: Bytes) -> String {
    format!("{} GB", super::amount::plain(memory.get() as f64 / f64::from(1 << 30)))
}

/// The less sure of two.
fn worst(a: crate::scenario::Confidence, b: crate::scenario::Confidence) -> crate::scenario::Confidence {
    let rank = |c| crate::scenario::Confidence::ALL.iter().position(|other| *other == c);
    if rank(a) >= rank(b) { a } else { b }
}
