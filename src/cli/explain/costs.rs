//! Pages about bills: figures for expectations, and the keys of `[cost]`.

use super::pages::Page;
use super::pages::field;
use super::pages::metric;

/// The pages.
pub const COSTS: &[Page] = &[
    metric(
        "cost_per_month",
        "Dollars a month, all lines of the plane's bill: that = \"cost_per_month < $500\". Judged by its interval, because\nlines by use differ between replications; inconclusive where a price or a size on sale is missing.",
    ),
    metric("cost_sidecar", "Dollars a month for proxies beside tasks, by the reading in force (cost.fargate_sizes)."),
    metric("cost_load_balancer", "Dollars a month for ALB hours and LCUs."),
    metric("cost_discovery", "Dollars a month for Cloud Map and Route 53."),
    metric("cost_cross_zone", "Dollars a month for bytes between zones, out and in."),
    metric("cost_tls", "Dollars a month for the private CA, certificates and the secrets of their keys."),
    metric("cost_observability", "Dollars a month for access logs and metrics."),
    metric("cost_private_link", "Dollars a month for interface endpoints."),
    metric("cost_orphans", "Dollars a month for registrations that a teardown left behind."),
    metric("cost_fits", "Dollars a month for the sidecars if they use what their tasks leave unused."),
    metric("cost_exact", "Dollars a month for the sidecars' own CPU and memory, a size that Fargate does not sell."),
    metric("cost_exact_cpu", "Of cost_exact, the CPU."),
    metric("cost_exact_memory", "Of cost_exact, the memory."),
    metric(
        "cost_next_size",
        "Dollars a month for tasks in the next size that Fargate sells, over what they cost without sidecars.",
    ),
    metric(
        "cost_per_task",
        "Dollars a month for one task's sidecar, by the reading in force; the mean, or that of the service in scope.",
    ),
    metric("cost_per_million", "Dollars for a million requests that were answered well, all lines of the plane."),
    metric("sidecar_vcpu", "vCPU that a task's sidecar is billed with; the most, or that of the service in scope."),
    metric("sidecar_mib", "MiB that a task's sidecar is billed with; the most, or those of the service in scope."),
    metric("cpu_growth", "The sidecar's CPU as a share of its task's; the largest, or that of the service in scope."),
    metric(
        "task_growth",
        "The step to the next size as a share of what the task costs now; the largest, or that of the service in scope.",
    ),
    metric(
        "break_even_tasks",
        "Tasks at which their sidecars cost as much as an idle ALB of the service in scope; without a scope the fleet's,\nas all its ALBs. Callers' tasks count in the fleet.",
    ),
    metric("lcus", "LCUs in use on average, all ALBs together: the largest of four dimensions of each."),
    metric("certificates", "Certificates that Service Connect has issued in a month: one per service and five days."),
    field(
        "cost.region",
        "The region whose prices count. Default us-east-1. Others: us-east-2, us-west-2, eu-west-1, eu-west-2, eu-central-1,\nap-northeast-1, ap-northeast-2, ap-southeast-1, ap-southeast-2, ap-south-1, ca-central-1, sa-east-1. A price that nobody\ngave for a region is missing there, and the line says so.",
    ),
    field("cost.hours", "Hours of a month. Default 730."),
    field("cost.launch_type", "fargate (default), fargate-spot or ec2. On EC2 sidecars share instances."),
    field("cost.arch", "x86 (default) or arm, on Fargate."),
    field(
        "cost.fargate_sizes",
        "What a sidecar adds to the sum: legal (default), its task in the next size that Fargate sells; exact, its own CPU and\nmemory; none, it fits into what the task has. Sold: 0.25 vCPU with 512 MiB, 1 or 2 GB; 0.5 with 1 to 4 GB; 1 with 2 to 8;\n2 with 4 to 16; 4 with 8 to 30; 8 with 16 to 60 in steps of 4; 16 with 32 to 120 in steps of 8.",
    ),
    field(
        "cost.sidecar",
        "rule (default): AWS's sizing for a sidecar of the default size. 256 CPU units and 64 MiB; 512 units where a task gets\nmore than 500 requests/s in its busiest minute; 128 MiB above 100 services or 2,000 tasks. as-written: the plane's size.",
    ),
    field("cost.alb", "dedicated (default), an internal ALB for each service that is called, or shared."),
    field(
        "cost.registration",
        "free (default): ECS's documentation lists no fee for what it registers. charged: $0.10 a task and month, as articles say.",
    ),
    field("cost.discovery", "dns (default): Route 53 queries. api: DiscoverInstances."),
    field(
        "cost.tls",
        "Certificates on planes with sidecars. Default: true where [network] tls_round_trips says that calls are encrypted.",
    ),
    field("cost.ca", "short-lived (default) or general: which private CA issues them."),
    field("cost.access_logs", "Proxies log every request to CloudWatch. Default false."),
    field("cost.log_line", "Bytes of such a line. Default 350 B, a guess."),
    field("cost.metrics", "Custom CloudWatch metrics. Service Connect's own are vended. Default 0."),
    field("cost.private_link", "Interface endpoints that the estate keeps, each in every zone. Default 0."),
    field("cost.orphans", "Registrations that a teardown left behind. Default 0."),
    field(
        "cost.measured_cpu",
        "CPU that tasks use at their peak, \"45%\": decides which sidecars fit. Default: the busiest simulated second.",
    ),
    field("cost.measured_memory", "The same for memory. Default: memory is taken to have room."),
    field(
        "cost.load_share",
        "The month's mean load as a share of the simulated one. Default 100%: the simulated load is the mean.",
    ),
    field("cost.request", "Size of requests that have none written, for the bill alone. Default 1KiB, a guess."),
    field("cost.response", "Size of their answers. Default 4KiB, a guess."),
    field(
        "cost.price_file",
        "A TOML file of prices on top of scsim's, or of a region that scsim has none for: docs/cost.md.",
    ),
    field("cost.overrides", "Prices in place, as in a price file: overrides = { alb = { hour = \"$0.02\" } }."),
];
