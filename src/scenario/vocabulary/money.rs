//! Words of `[cost]` and of price files.

use super::Form;
use super::Key;
use super::Table;
use super::key;
use super::table;
use crate::scenario::Confidence;
use crate::scenario::cost;

const COUNT: Form = Form::Count(0, 10_000_000);
const PRICE: Form = Form::Either(&[Form::Money, Form::Table("price")]);

pub(super) const TABLES: &[Table] = &[
    table("cost", "Terms of the bill.", &[COST]),
    table("price", "A price with its source.", &[AMOUNT, ORIGIN]).needs(&["price"]),
    table(
        "price-file",
        "Prices on top of scsim's own, or of a region that it has none for.",
        &[REGION, ORIGIN, GROUPS],
    ),
    table("price-file.fargate_x86", "Fargate on x86.", &[CORES]),
    table("price-file.fargate_arm", "Fargate on Graviton.", &[CORES]),
    table("price-file.fargate_spot", "Fargate Spot.", &[CORES]),
    table("price-file.fargate_spot_arm", "Fargate Spot on Graviton.", &[CORES]),
    table("price-file.ec2", "The instance that tasks are packed onto.", &[EC2]),
    table("price-file.ec2.instance", "The instance.", &[INSTANCE]).needs(&["name", "cpu", "memory"]),
    table("price-file.alb", "Application Load Balancers.", &[ALB]),
    table("price-file.service_connect", "Service Connect.", &[CONNECT]),
    table("price-file.cloud_map", "Cloud Map.", &[CLOUD_MAP]),
    table("price-file.route53", "Route 53.", &[ROUTE53]),
    table("price-file.private_ca", "AWS Private CA.", &[CA]),
    table("price-file.secrets", "Secrets Manager.", &[SECRETS]),
    table("price-file.cloudwatch", "CloudWatch.", &[CLOUDWATCH]),
    table("price-file.transfer", "Data transfer.", &[TRANSFER]),
    table("price-file.privatelink", "PrivateLink.", &[PRIVATELINK]),
    table("price-file.lattice", "VPC Lattice.", &[LATTICE]),
];

fn regions() -> Vec<&'static str> {
    cost::regions().collect()
}

fn confidences() -> Vec<&'static str> {
    Confidence::ALL.iter().map(|confidence| confidence.name()).collect()
}

const COST: &[Key] = &[
    // A price file may bring a region of its own.
    key("region", Form::Either(&[Form::Known(regions), Form::Text]), "us-east-1", "The region whose prices count."),
    key("hours", Form::Count(1, 10_000), "730", "Hours of a month."),
    key("launch_type", Form::Words(&["fargate", "fargate-spot", "ec2"]), "fargate", "What tasks run on."),
    key("arch", Form::Words(&["x86", "arm"]), "x86", "Processor of Fargate tasks."),
    key(
        "fargate_sizes",
        Form::Words(&["none", "exact", "legal"]),
        "legal",
        "What a sidecar adds: the next size that Fargate sells, its own size, or nothing.",
    ),
    key("sidecar", Form::Words(&["rule", "as-written"]), "rule", "Size of a sidecar: AWS's rule, or the plane's."),
    key(
        "alb",
        Form::Words(&["dedicated", "shared"]),
        "dedicated",
        "An internal ALB for each called service, or shared.",
    ),
    key("registration", Form::Words(&["free", "charged"]), "free", "Two readings of Cloud Map's fee."),
    key("discovery", Form::Words(&["dns", "api"]), "dns", "Route 53 queries, or DiscoverInstances."),
    key("ca", Form::Words(&["short-lived", "general"]), "short-lived", "The private CA that issues certificates."),
    key("tls", Form::Truth, "whether [network] is encrypted", "Certificates on planes with sidecars."),
    key("access_logs", Form::Truth, "false", "Proxies log every request to CloudWatch."),
    key("log_line", Form::Size, "350B", "Bytes of such a line."),
    key("metrics", COUNT, "0", "Custom CloudWatch metrics."),
    key("private_link", COUNT, "0", "Interface endpoints, each in every zone."),
    key("orphans", COUNT, "0", "Registrations that a teardown left behind."),
    key("measured_cpu", Form::Share, "the busiest simulated second", "CPU that tasks use at their peak."),
    key("measured_memory", Form::Share, "it has room", "Memory that tasks use at their peak."),
    key("load_share", Form::Share, "100%", "The month's mean load as a share of the simulated one."),
    key("request", Form::Size, "1KiB", "Size of requests that have none written, for the bill."),
    key("response", Form::Size, "4KiB", "Size of their answers."),
    key("price_file", Form::Text, "none", "A TOML file of prices on top of scsim's."),
    key("overrides", Form::Table("price-file"), "none", "Prices in place, as in a price file."),
];

const AMOUNT: &[Key] = &[key("price", Form::Money, "", "The price.")];
const REGION: &[Key] = &[key("region", Form::Text, "any", "The region that it is about.")];
const ORIGIN: &[Key] = &[
    key("source", Form::Text, "the file", "Where it was read."),
    key("date", Form::Text, "none", "When it was read."),
    key("confidence", Form::Known(confidences), "user", "How sure it is."),
];

const GROUPS: &[Key] = &[
    key("fargate_x86", Form::Table("price-file.fargate_x86"), "", "Fargate on x86."),
    key("fargate_arm", Form::Table("price-file.fargate_arm"), "", "Fargate on Graviton."),
    key("fargate_spot", Form::Table("price-file.fargate_spot"), "", "Fargate Spot."),
    key("fargate_spot_arm", Form::Table("price-file.fargate_spot_arm"), "", "Fargate Spot on Graviton."),
    key("ec2", Form::Table("price-file.ec2"), "", "The instance that tasks are packed onto."),
    key("alb", Form::Table("price-file.alb"), "", "Application Load Balancers."),
    key("service_connect", Form::Table("price-file.service_connect"), "", "Service Connect."),
    key("cloud_map", Form::Table("price-file.cloud_map"), "", "Cloud Map."),
    key("route53", Form::Table("price-file.route53"), "", "Route 53."),
    key("private_ca", Form::Table("price-file.private_ca"), "", "AWS Private CA."),
    key("secrets", Form::Table("price-file.secrets"), "", "Secrets Manager."),
    key("cloudwatch", Form::Table("price-file.cloudwatch"), "", "CloudWatch."),
    key("transfer", Form::Table("price-file.transfer"), "", "Data transfer."),
    key("privatelink", Form::Table("price-file.privatelink"), "", "PrivateLink."),
    key("lattice", Form::Table("price-file.lattice"), "", "VPC Lattice."),
];

const CORES: &[Key] =
    &[key("vcpu_hour", PRICE, "", "Per vCPU-hour."), key("gb_hour", PRICE, "", "Per GB-hour of memory.")];
const EC2: &[Key] = &[
    key("instance", Form::Table("price-file.ec2.instance"), "", "The instance."),
    key("hour", PRICE, "", "Per instance-hour."),
];
const INSTANCE: &[Key] = &[
    key("name", Form::Text, "", "Its name."),
    key("cpu", Form::Cpu, "", "Its processors."),
    key("memory", Form::Size, "", "Its memory."),
];
const ALB: &[Key] = &[key("hour", PRICE, "", "Per ALB-hour."), key("lcu_hour", PRICE, "", "Per LCU-hour.")];
const CONNECT: &[Key] = &[key("use", PRICE, "", "Per service and month.")];
const CLOUD_MAP: &[Key] = &[
    key("registration", PRICE, "", "Per registered resource and month, by the articles."),
    key("ecs_registration", PRICE, "", "Per resource that ECS registers and month."),
    key("service_connect", PRICE, "", "Per resource of Service Connect and month."),
    key("health_check", PRICE, "", "Per custom health check and month."),
    key("api_calls", PRICE, "", "Per million calls."),
];
const ROUTE53: &[Key] = &[
    key("zone", PRICE, "", "Per zone and month."),
    key("queries", PRICE, "", "Per million queries, the first billion."),
    key("queries_over_1b", PRICE, "", "Per million queries past a billion."),
];
const CA: &[Key] = &[
    key("general", PRICE, "", "Per general-purpose CA and month."),
    key("short_lived", PRICE, "", "Per short-lived CA and month."),
    key("certificate_general", PRICE, "", "Per certificate of the former."),
    key("certificate_short_lived", PRICE, "", "Per certificate of the latter."),
];
const SECRETS: &[Key] =
    &[key("secret", PRICE, "", "Per secret and month."), key("calls", PRICE, "", "Per 10,000 calls.")];
const CLOUDWATCH: &[Key] = &[
    key("metric", PRICE, "", "Per custom metric and month."),
    key("service_connect_metrics", PRICE, "", "Per metric of Service Connect and month."),
    key("logs_in", PRICE, "", "Per GB written."),
    key("logs_stored", PRICE, "", "Per GB and month."),
];
const TRANSFER: &[Key] = &[
    key("cross_zone", PRICE, "", "Per GB and direction between zones."),
    key("alb_to_target", PRICE, "", "Per GB from an ALB node to a target in another zone."),
];
const PRIVATELINK: &[Key] = &[key("hour", PRICE, "", "Per endpoint, zone and hour."), key("gb", PRICE, "", "Per GB.")];
const LATTICE: &[Key] = &[
    key("service_hour", PRICE, "", "Per service-hour."),
    key("gb", PRICE, "", "Per GB."),
    key("requests", PRICE, "", "Per million requests."),
];
