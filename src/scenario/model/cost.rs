//! What a scenario is billed by: terms, and a book of prices.
//!
//! *Knows* the words of the vocabulary. *Does not know* TOML, nor how a bill is made.

use std::sync::Arc;

use crate::scenario::Confidence;
use crate::units::Bytes;
use crate::units::Cpu;
use crate::units::Money;
use crate::units::Ratio;

/// `[cost]`, every default filled in.
#[derive(Clone, PartialEq, Debug)]
pub struct Cost {
    /// Hours of a month; 730 by convention.
    pub hours: u64,
    /// What tasks run on.
    pub launch_type: LaunchType,
    /// What kind of processor Fargate tasks ask for.
    pub arch: Arch,
    /// Which reading of a sidecar's price counts.
    pub sizes: Reading,
    /// Whether AWS's sizing rule may enlarge a sidecar of the default size.
    pub sidecar: SidecarSize,
    /// How internal ALBs are shared out.
    pub alb: AlbSharing,
    /// Which reading of Cloud Map's registration fee counts.
    pub registration: Registration,
    /// How a Cloud Map client asks.
    pub discovery: Asked,
    /// Calls are encrypted, by certificates of that kind of CA; `None` is plain text.
    pub tls: Option<Authority>,
    /// Proxies log every request.
    pub access_logs: bool,
    /// Length of such a line.
    pub log_line: Bytes,
    /// Custom CloudWatch metrics, on every plane.
    pub metrics: u64,
    /// Interface endpoints (PrivateLink) that the estate keeps, each in every zone.
    pub private_link: u64,
    /// Registrations that a teardown left behind.
    pub orphans: u64,
    /// CPU that tasks were measured to use at their peak.
    pub measured_cpu: Option<Ratio>,
    /// Memory that they were measured to use.
    pub measured_memory: Option<Ratio>,
    /// The month's mean load, as a share of the simulated one.
    pub load_share: Ratio,
    /// Sizes of calls that the scenario gives none.
    pub message: Message,
    /// The prices in force.
    pub prices: Arc<PriceBook>,
    /// The file asks for a bill, so sizes that cannot be bought are errors.
    pub asked: bool,
}

/// Sizes of a request and its answer where a call has none written. ASSUMPTION(cost.message): 1 KiB and 4 KiB, guesses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// Of the request.
    pub request: Bytes,
    /// Of the answer.
    pub response: Bytes,
}

/// `launch_type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LaunchType {
    /// Fargate, on demand.
    Fargate,
    /// Fargate Spot.
    Spot,
    /// Instances of the user's own.
    Ec2,
}

impl LaunchType {
    /// The word in scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            LaunchType::Fargate => "fargate",
            LaunchType::Spot => "fargate-spot",
            LaunchType::Ec2 => "ec2",
        }
    }
}

/// `arch`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arch {
    /// x86-64.
    X86,
    /// Graviton.
    Arm,
}

impl Arch {
    /// The word in scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Arch::X86 => "x86",
            Arch::Arm => "arm",
        }
    }
}

/// `fargate_sizes`: what a sidecar adds to the bill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// `none`: it fits into what the tasks already have.
    Fits,
    /// `exact`: its own CPU and memory, which nobody sells.
    Exact,
    /// `legal`: the task in the next size that Fargate sells.
    NextSize,
}

impl Reading {
    /// All, cheapest first.
    pub const ALL: [Reading; 3] = [Reading::Fits, Reading::Exact, Reading::NextSize];

    /// The word in scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Reading::Fits => "none",
            Reading::Exact => "exact",
            Reading::NextSize => "legal",
        }
    }
    /// The word in result files.
    pub const fn id(self) -> &'static str {
        match self {
            Reading::Fits => "fits",
            Reading::Exact => "exact",
            Reading::NextSize => "next_size",
        }
    }
}

/// `sidecar` of `[cost]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SidecarSize {
    /// The plane's, or AWS's sizing rule where the plane has the default size.
    Rule,
    /// The plane's.
    AsWritten,
}

/// `alb` of `[cost]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlbSharing {
    /// One for each service that is called.
    Dedicated,
    /// As few as the quota of target groups allows.
    Shared,
}

/// `registration`: two readings of what Cloud Map asks for an instance that ECS registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Registration {
    /// Nothing, as the ECS Developer Guide lists only Route 53 and the API.
    Free,
    /// The fee for a registered resource.
    Charged,
}

/// `discovery`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// By DNS queries.
    Dns,
    /// By DiscoverInstances.
    Api,
}

/// `ca`: who issues certificates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Authority {
    /// A private CA for short-lived certificates.
    ShortLived,
    /// A general one.
    General,
}

/// Prices of one region.
#[derive(Clone, PartialEq, Debug)]
pub struct PriceBook {
    /// The region.
    pub region: String,
    /// When the region's prices were looked up.
    pub date: String,
    /// The user's file on top of them.
    pub file: Option<String>,
    /// The instance that tasks are packed onto.
    pub instance: Option<Instance>,
    prices: [Option<Price>; PriceItem::ALL.len()],
}

impl PriceBook {
    /// A book without prices.
    pub fn empty(region: &str, date: &str) -> PriceBook {
        PriceBook {
            region: region.to_owned(),
            date: date.to_owned(),
            file: None,
            instance: None,
            prices: std::array::from_fn(|_| None),
        }
    }
    /// The price of an item; `None` where nobody gave one for this region.
    pub fn get(&self, item: PriceItem) -> Option<&Price> {
        self.prices[item as usize].as_ref()
    }
    /// Enters a price in place of the one before.
    pub fn enter(&mut self, item: PriceItem, price: Price) {
        self.prices[item as usize] = Some(price);
    }
}

/// A price and where it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Price {
    /// How much, for one unit of its item.
    pub amount: Money,
    /// Who said so.
    pub source: Arc<str>,
    /// When.
    pub date: Arc<str>,
    /// How sure that is.
    pub confidence: Confidence,
}

/// An instance of the EC2 launch type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// Its type.
    pub name: String,
    /// What it has.
    pub cpu: Cpu,
    /// What it has.
    pub memory: Bytes,
}

/// Everything that has a price.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "each is named as in a price file, and `key` says so")]
pub enum PriceItem {
    FargateX86Vcpu,
    FargateX86Gb,
    FargateArmVcpu,
    FargateArmGb,
    SpotVcpu,
    SpotGb,
    SpotArmVcpu,
    SpotArmGb,
    Instance,
    AlbHour,
    LcuHour,
    ServiceConnect,
    CloudMapRegistration,
    CloudMapEcsRegistration,
    CloudMapServiceConnect,
    CloudMapHealthCheck,
    CloudMapApiCalls,
    Zone,
    Queries,
    QueriesOver1b,
    CaGeneral,
    CaShortLived,
    CertificateGeneral,
    CertificateShortLived,
    Secret,
    SecretCalls,
    Metric,
    ServiceConnectMetrics,
    LogsIn,
    LogsStored,
    CrossZone,
    AlbToTarget,
    PrivateLinkHour,
    PrivateLinkGb,
    LatticeServiceHour,
    LatticeGb,
    LatticeRequests,
}

impl PriceItem {
    /// All, in the order of a price file.
    pub const ALL: [PriceItem; 37] = [
        PriceItem::FargateX86Vcpu,
        PriceItem::FargateX86Gb,
        PriceItem::FargateArmVcpu,
        PriceItem::FargateArmGb,
        PriceItem::SpotVcpu,
        PriceItem::SpotGb,
        PriceItem::SpotArmVcpu,
        PriceItem::SpotArmGb,
        PriceItem::Instance,
        PriceItem::AlbHour,
        PriceItem::LcuHour,
        PriceItem::ServiceConnect,
        PriceItem::CloudMapRegistration,
        PriceItem::CloudMapEcsRegistration,
        PriceItem::CloudMapServiceConnect,
        PriceItem::CloudMapHealthCheck,
        PriceItem::CloudMapApiCalls,
        PriceItem::Zone,
        PriceItem::Queries,
        PriceItem::QueriesOver1b,
        PriceItem::CaGeneral,
        PriceItem::CaShortLived,
        PriceItem::CertificateGeneral,
        PriceItem::CertificateShortLived,
        PriceItem::Secret,
        PriceItem::SecretCalls,
        PriceItem::Metric,
        PriceItem::ServiceConnectMetrics,
        PriceItem::LogsIn,
        PriceItem::LogsStored,
        PriceItem::CrossZone,
        PriceItem::AlbToTarget,
        PriceItem::PrivateLinkHour,
        PriceItem::PrivateLinkGb,
        PriceItem::LatticeServiceHour,
        PriceItem::LatticeGb,
        PriceItem::LatticeRequests,
    ];

    /// Its table in a price file, its key there, and what the price is for one of.
    pub const fn key(self) -> (&'static str, &'static str, &'static str) {
        match self {
            PriceItem::FargateX86Vcpu => ("fargate_x86", "vcpu_hour", "vCPU-hour"),
            PriceItem::FargateX86Gb => ("fargate_x86", "gb_hour", "GB-hour"),
            PriceItem::FargateArmVcpu => ("fargate_arm", "vcpu_hour", "vCPU-hour"),
            PriceItem::FargateArmGb => ("fargate_arm", "gb_hour", "GB-hour"),
            PriceItem::SpotVcpu => ("fargate_spot", "vcpu_hour", "vCPU-hour"),
            PriceItem::SpotGb => ("fargate_spot", "gb_hour", "GB-hour"),
            PriceItem::SpotArmVcpu => ("fargate_spot_arm", "vcpu_hour", "vCPU-hour"),
            PriceItem::SpotArmGb => ("fargate_spot_arm", "gb_hour", "GB-hour"),
            PriceItem::Instance => ("ec2", "hour", "instance-hour"),
            PriceItem::AlbHour => ("alb", "hour", "ALB-hour"),
            PriceItem::LcuHour => ("alb", "lcu_hour", "LCU-hour"),
            PriceItem::ServiceConnect => ("service_connect", "use", "service-month"),
            PriceItem::CloudMapRegistration => ("cloud_map", "registration", "resource-month"),
            PriceItem::CloudMapEcsRegistration => ("cloud_map", "ecs_registration", "resource-month"),
            PriceItem::CloudMapServiceConnect => ("cloud_map", "service_connect", "resource-month"),
            PriceItem::CloudMapHealthCheck => ("cloud_map", "health_check", "check-month"),
            PriceItem::CloudMapApiCalls => ("cloud_map", "api_calls", "million calls"),
            PriceItem::Zone => ("route53", "zone", "zone-month"),
            PriceItem::Queries => ("route53", "queries", "million queries"),
            PriceItem::QueriesOver1b => ("route53", "queries_over_1b", "million queries"),
            PriceItem::CaGeneral => ("private_ca", "general", "CA-month"),
            PriceItem::CaShortLived => ("private_ca", "short_lived", "CA-month"),
            PriceItem::CertificateGeneral => ("private_ca", "certificate_general", "certificate"),
            PriceItem::CertificateShortLived => ("private_ca", "certificate_short_lived", "certificate"),
            PriceItem::Secret => ("secrets", "secret", "secret-month"),
            PriceItem::SecretCalls => ("secrets", "calls", "10,000 calls"),
            PriceItem::Metric => ("cloudwatch", "metric", "metric-month"),
            PriceItem::ServiceConnectMetrics => ("cloudwatch", "service_connect_metrics", "metric-month"),
            PriceItem::LogsIn => ("cloudwatch", "logs_in", "GB"),
            PriceItem::LogsStored => ("cloudwatch", "logs_stored", "GB-month"),
            PriceItem::CrossZone => ("transfer", "cross_zone", "GB and direction"),
            PriceItem::AlbToTarget => ("transfer", "alb_to_target", "GB"),
            PriceItem::PrivateLinkHour => ("privatelink", "hour", "zone-hour"),
            PriceItem::PrivateLinkGb => ("privatelink", "gb", "GB"),
            PriceItem::LatticeServiceHour => ("lattice", "service_hour", "service-hour"),
            PriceItem::LatticeGb => ("lattice", "gb", "GB"),
            PriceItem::LatticeRequests => ("lattice", "requests", "million requests"),
        }
    }
}

/// A figure of a bill, of one plane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CostFigure {
    /// Proxies beside tasks, by the reading in force.
    Sidecar,
    /// ALB hours and LCUs.
    LoadBalancer,
    /// Cloud Map and Route 53.
    Discovery,
    /// Bytes between zones.
    CrossZone,
    /// CA, certificates, secrets.
    Tls,
    /// Logs and metrics.
    Observability,
    /// Interface endpoints.
    PrivateLink,
    /// Registrations that a teardown left behind.
    Orphans,
    /// The sidecars, if they fit into today's head-room.
    Fits,
    /// The sidecars' own CPU and memory.
    Exact,
    /// Of that, the CPU.
    ExactCpu,
    /// Of that, the memory.
    ExactMemory,
    /// The sidecars by the next size on sale.
    NextSize,
    /// One task's sidecar, by the reading in force; the mean, or that of the service in scope.
    PerTask,
    /// All of the plane for a million requests that were answered well.
    PerMillion,
    /// vCPU that the sidecar of a task is billed with; the most, or that of the service in scope.
    SidecarCpu,
    /// MiB that the sidecar of a task is billed with; the most, or those of the service in scope.
    SidecarMemory,
    /// The sidecar's CPU as a share of the task's; the most, or that of the service in scope.
    CpuGrowth,
    /// The step to the next size as a share of the task's price now; the most, or that of the service in scope.
    TaskGrowth,
    /// Tasks at which sidecars cost as much as an idle ALB of the service in scope; without a scope of the fleet as all its ALBs.
    BreakEven,
    /// LCUs in use, all ALBs together.
    Lcus,
    /// Certificates issued in a month.
    Certificates,
}

impl CostFigure {
    /// All.
    pub const ALL: [CostFigure; 22] = [
        CostFigure::Sidecar,
        CostFigure::LoadBalancer,
        CostFigure::Discovery,
        CostFigure::CrossZone,
        CostFigure::Tls,
        CostFigure::Observability,
        CostFigure::PrivateLink,
        CostFigure::Orphans,
        CostFigure::Fits,
        CostFigure::Exact,
        CostFigure::ExactCpu,
        CostFigure::ExactMemory,
        CostFigure::NextSize,
        CostFigure::PerTask,
        CostFigure::PerMillion,
        CostFigure::SidecarCpu,
        CostFigure::SidecarMemory,
        CostFigure::CpuGrowth,
        CostFigure::TaskGrowth,
        CostFigure::BreakEven,
        CostFigure::Lcus,
        CostFigure::Certificates,
    ];

    /// The name in scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            CostFigure::Sidecar => "cost_sidecar",
            CostFigure::LoadBalancer => "cost_load_balancer",
            CostFigure::Discovery => "cost_discovery",
            CostFigure::CrossZone => "cost_cross_zone",
            CostFigure::Tls => "cost_tls",
            CostFigure::Observability => "cost_observability",
            CostFigure::PrivateLink => "cost_private_link",
            CostFigure::Orphans => "cost_orphans",
            CostFigure::Fits => "cost_fits",
            CostFigure::Exact => "cost_exact",
            CostFigure::ExactCpu => "cost_exact_cpu",
            CostFigure::ExactMemory => "cost_exact_memory",
            CostFigure::NextSize => "cost_next_size",
            CostFigure::PerTask => "cost_per_task",
            CostFigure::PerMillion => "cost_per_million",
            CostFigure::SidecarCpu => "sidecar_vcpu",
            CostFigure::SidecarMemory => "sidecar_mib",
            CostFigure::CpuGrowth => "cpu_growth",
            CostFigure::TaskGrowth => "task_growth",
            CostFigure::BreakEven => "break_even_tasks",
            CostFigure::Lcus => "lcus",
            CostFigure::Certificates => "certificates",
        }
    }
    /// It is dollars a month (or a million requests, or a task and month).
    pub const fn is_money(self) -> bool {
        !self.is_share()
            && !matches!(
                self,
                CostFigure::SidecarCpu
                    | CostFigure::SidecarMemory
                    | CostFigure::BreakEven
                    | CostFigure::Lcus
                    | CostFigure::Certificates
            )
    }
    /// It is a share of one.
    pub const fn is_share(self) -> bool {
        matches!(self, CostFigure::CpuGrowth | CostFigure::TaskGrowth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_numbered_as_listed_and_have_keys_of_their_own() {
        for (number, item) in PriceItem::ALL.iter().enumerate() {
            assert_eq!(*item as usize, number);
            let same = |other: &&PriceItem| (other.key().0, other.key().1) == (item.key().0, item.key().1);
            assert_eq!(PriceItem::ALL.iter().filter(same).count(), 1, "{:?}", item.key());
        }
    }
}
