//! What people read when their file is wrong, as golden texts; and that nothing breaks the reader.
//!
//! A golden that should change is written anew with `SCSIM_BLESS=1 cargo test --test diagnostics`.

#![expect(clippy::disallowed_methods, reason = "goldens are blessed by an environment variable")]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use proptest::prelude::*;
use scsim::diagnostic::Charset;
use scsim::diagnostic::Diagnostic;
use scsim::diagnostic::Form;
use scsim::diagnostic::render_all;
use scsim::scenario::LoadOptions;
use scsim::scenario::filled;
use scsim::scenario::load;
use scsim::scenario::parse;

const WEDGED: &str = include_str!("examples/wedged-replica.toml");
const REFERENCE: &str = include_str!("examples/reference.toml");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Errors and warnings alike.
fn findings(text: &str, options: &LoadOptions) -> Vec<Diagnostic> {
    match parse("shop.toml", text, &root().join("data"), options) {
        Ok(loaded) => loaded.warnings,
        Err(found) => found,
    }
}

fn check(name: &str, text: &str) {
    check_with(name, text, &LoadOptions::default());
}

fn check_with(name: &str, text: &str, options: &LoadOptions) {
    let found = render_all(&findings(text, options), Form::Full(Charset::Unicode));
    let path = root().join("golden/diagnostics").join(format!("{name}.txt"));
    if std::env::var_os("SCSIM_BLESS").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &found).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, golden, "{name} differs from its golden");
}

/// A scenario of two services with something more.
fn shop(more: &str) -> String {
    format!(
        "[service.checkout]\ntasks = 3\ncalls = [\"payments\"]\n\n[service.payments]\ntasks = 6\nlatency = \"12ms\"\n\n[load]\nrate = \"200/s\"\n\n{more}"
    )
}

/// Every key of a deployment once.
const DEPLOYS: &str = r#"
[[deploy]]
at = "10s"
service = "payments"
minimum_healthy_percent = 50
maximum_percent = 150
early_success = { healthy_percent = 80, cleanup = "blocking" }
bake_time = "1m30s"
circuit_breaker = { threshold = { unbounded_percent = 30 }, rollback = false, reset_on_healthy_task = false }
alarm = { error_rate = "2.5%", over = "30s", of = "service", rollback = false }
change = { latency = "5ms", errors = "3%", status = 503, startup = { p50 = "10s", p99 = "20s" }, crash_loop = true }
[[deploy]]
at = "40s"
service = "payments"
strategy = "canary"
canary_percent = "0.1%"
canary_bake_time = "0s"
test_time = "20s"
test_error_rate = "1%"
settle = "0s"
rollback_at = "55s"
[[deploy]]
at = "60s"
service = "payments"
strategy = "linear"
step_percent = "12.5%"
step_bake_time = "1m"
circuit_breaker = false
change = { crash_loop = "20s" }
[[deploy]]
at = "70s"
service = "checkout"
strategy = "blue-green"
bake_time = "0s"
"#;

#[test]
fn deployments() {
    check(
        "deploy-rules",
        &shop(
            "[[deploy]]\nat = \"10s\"\nservice = \"payments\"\nstrategy = \"blue-green\"\nmaximum_percent = 150\n\
             canary_percent = \"5%\"\ncircuit_breaker = { threshold = { percent = 50, count = 2 } }\n\
             [[deploy]]\nat = \"20s\"\nservice = \"payments\"\nstrategy = \"linear\"\nstep_percent = \"2%\"\n\
             step_bake_time = \"25h\"\nrollback_at = \"15s\"\n\
             [[deploy]]\nat = \"30s\"\nservice = \"payments\"\ntest_time = \"5s\"\nminimum_healthy_percent = 90\n\
             early_success = { healthy_percent = 80 }\nalarm = { error_rate = \"5%\", over = \"1s\" }\n\
             change = { status = 503 }\n\
             [[deploy]]\nat = \"40s\"\nservice = \"payments\"\nstrategy = \"canary\"\ncircuit_breaker = true\n\
             alarm = { error_rate = \"5%\", rollback = false }\n",
        ),
    );
    let one = |more: &str| findings(&shop(more), &LoadOptions::default());
    let deploy = "[[deploy]]\nat = \"10s\"\nservice = \"bank\"\n[service.bank]\nexternal = true\n";
    let found = one(deploy);
    assert!(found.iter().any(|found| found.message.contains("ECS does not deploy it")), "{found:#?}");
    let found = findings(&shop("").replace("[load]", "[load]\ntest = true"), &LoadOptions::default());
    assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), ["scenario::test-load"]);
    check(
        "deploy-before-creation",
        &shop("[[deploy]]\nat = \"10s\"\nservice = \"payments\"\n[[scale]]\nat = \"20s\"\nservice = \"payments\"\ntasks = 3\n")
            .replace("tasks = 6", "tasks = 6\ncreated = \"1m\""),
    );
}

#[test]
fn service_connect_takes_no_other_controller_than_ecs() {
    let code_deploy = |more: &str| shop(more).replace("tasks = 6", "tasks = 6\ncontroller = \"CODE_DEPLOY\"");
    check("code-deploy", &code_deploy("[[deploy]]\nat = \"10s\"\nservice = \"payments\"\n"));
    let variant = "[plane.sc2]\nextends = \"service-connect\"\n";
    let found = findings(&format!("compare = [\"sc2\"]\n{}", code_deploy(variant)), &LoadOptions::default());
    assert_eq!(found[0].code, "scenario::controller", "{found:#?}");
    for plane in ["internal-alb", "cloud-map-dns", "envoy"] {
        let options = LoadOptions { planes: vec![plane.to_owned()], ..LoadOptions::default() };
        let blue_green =
            "[[deploy]]\nat = \"10s\"\nservice = \"payments\"\nstrategy = \"blue-green\"\nbake_time = \"1m\"\n";
        let loaded = parse("s", &code_deploy(blue_green), Path::new("."), &options).unwrap();
        let reason = &loaded.scenario.planes[0].not_applicable;
        assert_eq!(reason.is_some(), plane == "cloud-map-dns", "{reason:?}");
    }
    let external = shop("[[deploy]]\nat = \"10s\"\nservice = \"payments\"\n")
        .replace("tasks = 6", "tasks = 6\ncontroller = \"EXTERNAL\"");
    check_with(
        "external-controller",
        &external,
        &LoadOptions { planes: vec!["internal-alb".to_owned()], ..LoadOptions::default() },
    );
}

#[test]
fn unknown_service() {
    check("unknown-service", &WEDGED.replace("calls = [\"payments\"]", "calls = [\"paymnets\"]"));
}

#[test]
fn units() {
    check(
        "unit",
        &WEDGED.replace("latency = { p50 = \"12ms\", p99 = \"80ms\" }", "latency = \"8ms\"\nstartup      = 66"),
    );
    check("units", &shop("[run]\nduration = 90\nwarmup = \"5\"\nconfidence = 0.95\n[plane.cloud-map-dns]\nttl = 10\n"));
}

#[test]
fn task_life_and_scaling() {
    check(
        "task-life",
        &shop(
            "[service.slow]\nstartup = 30\nprovisioning = 5\nimage_pull = \"fast\"\nhealth_check_grace_period = 60\n\
             replacement = \"before\"\nstop_delay = \"10s\"\nhandles_sigterm = false\n\
             [service.late]\nstop_delay = \"60s\"\nstop_tmeout = \"90s\"\n",
        ),
    );
    check(
        "scaling",
        &shop(
            "[service.db]\nexternal = true\n\
             [scaling.payments]\nmin = 0\nmax = 4\ntarget_cpu = \"60%\"\n\
             [scaling.checkout]\nmin = 4\nmax = 3\ntarget_rps = \"10/s\"\ntarget_cpu = \"60%\"\n\
             [scaling.db]\nmax = 9\ntarget_concurrency = 0\nscale_in_coldown = \"60s\"\n\
             [scaling.paymnets]\ntarget_rps = 10\n",
        ),
    );
}

#[test]
fn unknown_metric_and_plane() {
    check("unknown-metric", &WEDGED.replace("\"error_rate < 0.1%\"", "\"error_ratio < 0.1%\""));
    check(
        "expectations",
        &shop(
            "[[expect]]\nthat = \"p99 < 400\"\n[[expect]]\nthat = \"error_rate < 120%\"\n[[expect]]\nthat = \"direct.p99 < 1s\"\n\
             [[expect]]\nthat = \"p99 < 1s\"\nplane = \"servce-connect\"\n[[expect]]\nthat = \"service-connect.p99 < cloud-map-dns.error_rate\"\n\
             [[expect]]\nthat = \"fast\"\n[[expect]]\nthat = \"p99 < 1s\"\nduring = \"wegded\"\n[[expect]]\nthat = \"p99 < 1s\"\nedge = \"payments->checkout\"\n",
        ),
    );
}

#[test]
fn windows_that_cover_nothing() {
    check(
        "empty-window",
        &shop(
            "[run]\nduration = \"45s\"\n[[fault]]\nname = \"wedged\"\nat = \"60s\"\ntarget = \"payments#1\"\nkind = \"wedge\"\n\
             [[expect]]\nthat = \"p99 < 1s\"\nduring = \"wedged\"\n[[expect]]\nthat = \"p99 < 1s\"\nduring = \"deploy\"\n",
        ),
    );
}

#[test]
fn envoy_fields() {
    check(
        "policy",
        &shop(
            "[plane.tuned]\nextends = \"service-connect\"\npolicy.outlier_detection.consecutive_errors = 3\n\
             [policy]\nlb_policy = \"MAGLEV\"\nhedge_policy = { hedge_on_per_try_timeout = true }\n\
             retry_policy = { retry_on = [\"5xx\", \"conect-failure\"], per_try_idle_timeout = \"1s\" }\n\
             outlier_detection = { base_ejection_time = \"60s\", max_ejection_time = \"10s\", success_rate_minimum_hosts = 3 }\n",
        ),
    );
    check(
        "policy-harmless",
        &shop(
            "[policy]\nhedge_policy = { hedge_on_per_try_timeout = false }\nretry_policy = { num_retries = 1, per_try_idle_timeout = \"0s\" }\n\
         outlier_detection = { enforcing_success_rate = 0, success_rate_minimum_hosts = 3, failure_percentage_threshold = 50 }\n",
        ),
    );
}

#[test]
fn envoy_has_it_and_scsim_does_not_model_it() {
    check(
        "policy-unmodelled",
        &shop(
            "[policy]\nlb_policy = \"CLUSTER_PROVIDED\"\nring_hash_lb_config = { hash_function = \"MURMUR_HASH_2\" }\n\
             least_request_lb_config = { active_request_bias = 2.0 }\npreconnect_policy = { predictive_preconnect_ratio = 2.0 }\n\
             hedge_policy = { initial_requests = 2 }\nlb_subset_config = { fallback_policy = \"ANY_ENDPOINT\" }\n\
             common_lb_config = { consistent_hashing_lb_config = { hash_balance_factor = 150 }, ignore_new_hosts_until_first_hc = true }\n\
             circuit_breakers = { max_connection_pools = 3, retry_budget = { budget_interval = \"1s\" } }\n\
             retry_policy = { retry_on = \"5xx\", refresh_cluster_on_retry = { x = 1 }, retry_priority = { name = \"mine\" }, \
             retriable_headers = [{ name = \"a\", range_match = { start = 1 } }] }\n\
             outlier_detection = { monitors = { consecutive_errors = [1] } }\nhttp2_protocol_options = { hpack_table_size = 1 }\n\
             tcp_proxy = { backoff_options = { base_interval = \"1s\" } }\n",
        ),
    );
}

/// Each field of each message is modelled, harmless, or an error that says so: none is unknown.
#[test]
fn no_field_of_envoy_is_passed_over_in_silence() {
    let of = |more: &str| findings(&shop(&format!("[policy]\n{more}\n")), &LoadOptions::default());
    for (table, fields) in [
        (
            "outlier_detection",
            "consecutive_5xx interval monitors detect_degraded_hosts successful_active_health_check_uneject_host",
        ),
        ("retry_policy", "retry_options_predicates refresh_cluster_on_retry"),
        ("circuit_breakers", "max_connection_pools"),
        ("common_lb_config", "override_host_status close_connections_on_host_set_change"),
        (
            "",
            "lb_subset_config close_connections_on_host_health_failure max_stream_duration hash_policy transport_socket",
        ),
        ("http2_protocol_options", "initial_stream_window_size stream_reset_rate"),
    ] {
        for field in fields.split(' ') {
            let text = if table.is_empty() { format!("{field} = 77") } else { format!("{table} = {{ {field} = 77 }}") };
            let found = of(&text);
            assert!(!found.iter().any(|d| d.code == "policy::unknown-field"), "{text}: {found:#?}");
            let taken =
                ["consecutive_5xx", "interval", "detect_degraded_hosts", "successful_active_health_check_uneject_host"];
            let unmodelled = found.iter().any(|d| d.code == "policy::not-modelled" && d.message.contains(field));
            assert_eq!(unmodelled, !taken.contains(&field), "{text}: {found:#?}");
        }
    }
}

#[test]
fn slips_are_told_from_fields() {
    check(
        "policy-typos",
        &shop(
            "[policy]\nlb_polcy = \"RANDOM\"\nconsecutive_5xx = 3\nring_hash_lb_config = { minimum_rign_size = 3 }\n\
             maglev_lb_config = { tabel_size = 7 }\nslow_start_config = { slow_start_window = \"1m\", agression = 1.0 }\n\
             common_lb_config = { zone_aware_lb_config = { min_clustersize = 3 }, update_merge_windw = \"1s\" }\n\
             hedge_policy = { hedge_on_per_try_timout = true }\npreconnect_policy = { per_upstream_ratio = 2.0 }\n\
             circuit_breakers = { max_conections = 1, retry_budget = { budget_percnt = 1 } }\n\
             retry_policy = { retry_on = \"5xx\", max_retries = 3, retry_back_off = { base = \"1s\" }, \
             rate_limited_retry_back_off = { reset_header = [] } }\n\
             outlier_detection = { strict_envoy = true, num_retries = 2 }\npreset = \"envoy-defualt\"\n",
        ),
    );
}

#[test]
fn what_envoy_rejects() {
    let rejected = "[policy]\nlb_policy = \"MAGLEV\"\nmaglev_lb_config = { table_size = 65536 }\nconnect_timeout = \"0s\"\n\
        overprovisioning_factor = 0\nhedge_policy = { initial_requests = 0 }\n\
        preconnect_policy = { per_upstream_preconnect_ratio = 3.1 }\n\
        common_lb_config = { healthy_panic_threshold = 101, zone_aware_lb_config = { routing_enabled = \"150%\" }, locality_weighted_lb_config = {} }\n\
        circuit_breakers = { per_host_thresholds = [{ max_requests = 3 }] }\n\
        retry_policy = { retry_on = \"5xx\", retry_back_off = { base_interval = \"1s\", max_interval = \"500ms\" }, \
        rate_limited_retry_back_off = { max_interval = \"1s\" }, retry_priority = { update_frequency = 0 } }\n\
        outlier_detection = { interval = \"0s\", max_ejection_percent = 101, enforcing_consecutive_5xx = \"12.5%\", max_ejection_time = \"10s\" }\n\
        health_check = { interval = \"1s\", timeout = \"1s\", healthy_threshold = 0, unhealthy_threshold = 1 }\n";
    check("policy-rejected", &shop(rejected));
    for (name, lines) in [
        (
            "ring",
            "lb_policy = \"RING_HASH\"\nring_hash_lb_config = { minimum_ring_size = 2048, maximum_ring_size = 1024 }\n",
        ),
        ("choices", "lb_policy = \"LEAST_REQUEST\"\nleast_request_lb_config = { choice_count = 1 }\n"),
        ("slow-start", "lb_policy = \"RANDOM\"\nslow_start_config = { slow_start_window = \"1m\", aggression = 0 }\n"),
        ("back-off", "retry_policy = { retry_on = \"5xx\", retry_back_off = { max_interval = \"1s\" } }\n"),
    ] {
        check(&format!("policy-rejected-{name}"), &shop(&format!("[policy]\n{lines}")));
    }
}

#[test]
fn settings_that_cancel_out() {
    check(
        "policy-interplay",
        &format!(
            "compare = [\"envoy\"]\n{}",
            shop(
                "[policy]\nlb_policy = \"RING_HASH\"\nmaglev_lb_config = { table_size = 251 }\nmax_connect_attempts = 2\n\
                 hedge_policy = { hedge_on_per_try_timeout = true }\noutlier_detection = { consecutive_5xx = 3, detect_degraded_hosts = true }\n\
                 retry_policy = { num_retries = 2, per_try_timeout = \"20s\", retriable_status_codes = [503], \
                 host_selection_retry_max_attempts = 5, retriable_request_headers = [\"x-retry\"] }\n",
            )
        ),
    );
    // Nobody is warned of what a preset does.
    assert_eq!(findings(&shop(""), &LoadOptions::default()), []);
}

#[test]
fn faults_and_names() {
    check(
        "faults",
        &shop(
            "[[fault]]\nname = \"a\"\nat = \"10s\"\ntarget = \"payments#9\"\nkind = \"wedge\"\n\
             [[fault]]\nname = \"a\"\nat = \"10s\"\ntarget = \"payments\"\nkind = \"wegde\"\n\
             [[fault]]\nat = \"10s\"\ntarget = \"checkout->payments\"\nkind = \"crash\"\n\
             [[fault]]\nat = \"10s\"\nevery = \"5s\"\ntarget = \"zone:q\"\nkind = \"grey\"\n\
             [[fault]]\nat = \"10s\"\ntarget = \"payments[150%]\"\nkind = \"errors\"\nrate = \"130%\"\n",
        ),
    );
}

/// Each line is the middle of a `[[fault]]`.
fn with_faults(lines: &[&str]) -> String {
    let faults: Vec<String> = lines.iter().map(|line| format!("[[fault]]\n{}\n", line.replace("; ", "\n"))).collect();
    shop(&faults.concat())
}

#[test]
fn faults_that_say_too_little_too_much_or_the_wrong_thing() {
    check(
        "fault-parameters",
        &with_faults(&[
            "at = \"1s\"; target = \"payments\"; kind = \"latency\"",
            "at = \"1s\"; target = \"payments\"; kind = \"latency\"; latency = \"1s\"; correlation = \"25%\"",
            "at = \"1s\"; target = \"payments\"; kind = \"cpu\"; rate = \"100%\"",
            "at = \"1s\"; target = \"payments\"; kind = \"gc-pause\"; pause = \"2s\"; interval = \"1s\"",
            "at = \"1s\"; target = \"payments\"; kind = \"memory-leak\"; rate = \"1MiB\"",
            "at = \"1s\"; target = \"payments\"; kind = \"bandwidth\"; rate = \"1MiB/s\"",
            "at = \"1s\"; target = \"payments\"; kind = \"cert-expiry\"",
            "at = \"1s\"; target = \"payments\"; kind = \"duplicate\"",
            "at = \"1s\"; target = \"payments\"; kind = \"blackhole\"; port = 80",
            "at = \"1s\"; target = \"payments\"; kind = \"reset\"; after = \"5s\"",
            "at = \"1s\"; target = \"payments\"; kind = \"connection-limit\"",
            "at = \"1s\"; target = \"payments\"; kind = \"hang\"; rate = \"5%\"",
        ]),
    );
    check(
        "fault-targets",
        &with_faults(&[
            "at = \"1s\"; target = \"payments[9]\"; kind = \"hang\"",
            "at = \"1s\"; target = \"payments[0]\"; kind = \"hang\"",
            "at = \"1s\"; target = \"payments#1\"; kind = \"az-outage\"",
            "at = \"1s\"; target = \"payments#1\"; kind = \"crash-loop\"; delay = \"5s\"",
            "at = \"1s\"; target = \"sidecar:payments\"; kind = \"crash\"",
            "at = \"1s\"; target = \"dns\"; kind = \"push-freeze\"",
            "at = \"1s\"; kind = \"hang\"",
        ]),
    );
    check(
        "fault-timing",
        &with_faults(&[
            "at = \"1s\"; after = { event = \"ejected\" }; target = \"payments\"; kind = \"hang\"",
            "after = { event = \"ejectd\" }; target = \"payments\"; kind = \"hang\"",
            "after = { event = \"ejected\", task = \"payments\" }; target = \"payments\"; kind = \"hang\"",
            "at = \"1s\"; stop_when = { count = 3 }; target = \"payments\"; kind = \"hang\"",
            "at = \"1s\"; nth = 3; every_nth = 4; target = \"payments\"; kind = \"hang\"",
            "at = \"1s\"; nth = 0; target = \"payments\"; kind = \"hang\"",
            "at = \"1s\"; nth = 3; target = \"payments\"; kind = \"crash\"",
            "at = \"1s\"; nth = 3; rate = \"5%\"; target = \"payments\"; kind = \"errors\"",
            "at = \"1s\"; ramp = \"5s\"; target = \"payments\"; kind = \"wedge\"",
            "at = \"1s\"; for = \"2s\"; ramp = \"5s\"; target = \"payments\"; kind = \"cpu\"; rate = \"50%\"",
        ]),
    );
    let idle = format!(
        "compare = [\"direct\"]\n{}",
        with_faults(&["at = \"1s\"; kind = \"dns-fail\"", "at = \"1s\"; kind = \"push-delay\"; latency = \"1s\""])
    );
    check("fault-idle", &idle);
}

#[test]
fn every_kind_and_form_of_fault_is_read_and_written_back() {
    let text = format!(
        "[network]\ntls = true\n{}",
        with_faults(&[
            "at = \"1s\"; target = \"payments[2]\"; kind = \"latency\"; latency = { p50 = \"10ms\", p99 = \"90ms\" }; jitter = \"5ms\"; ramp = \"10s\"",
            "at = \"1s\"; target = \"checkout->payments\"; kind = \"loss\"; rate = \"4%\"; direction = \"ingress\"",
            "every = \"20s\"; for = \"2s\"; target = \"zone:a\"; kind = \"az-outage\"; power = true",
            "after = { event = \"ejected\", count = 3, by = \"checkout\", task = \"payments#1\", wait = \"2s\" }; kind = \"dns-stale\"",
            "at = \"1s\"; target = \"sidecar:payments#2\"; kind = \"sidecar-slow\"; factor = 3",
            "at = \"1s\"; target = \"payments\"; kind = \"errors\"; nth = [9, 3, 9]; stop_when = { event = \"unhealthy\" }",
            "at = \"1s\"; target = \"payments\"; kind = \"memory-leak\"; rate = \"10KiB/request\"",
            "at = \"1s\"; target = \"payments\"; kind = \"cert-expiry\"",
        ])
    );
    let loaded = parse("s", &text, Path::new("."), &LoadOptions::default()).unwrap();
    assert_eq!(loaded.warnings, []);
    let faults = &loaded.scenario.faults;
    assert_eq!(faults[5].how.hits, scsim::scenario::Hits::Nth(vec![3, 9]));
    let again = filled(&loaded);
    for line in [
        "fault 2: packet-loss, rate = 4%, direction = ingress",
        "fault 5: sidecar-slow, factor = 3",
        "fault 7: memory-leak, rate = 10 KiB/request, used = 50%",
    ] {
        let squeezed = again.replace(' ', "");
        assert!(squeezed.contains(&line.replace(' ', "")), "{line} in\n{again}");
    }
}

#[test]
fn frequent_slips() {
    check("swallowed", &format!("{}\n[run]\nduration = \"1m\"\ncompare = [\"direct\"]\n", shop("")));
    check("load-mixed", &shop("[[load]]\nrate = \"1/s\"\n"));
    check("entry", "[service.a]\n[service.b]\n[load]\nrate = \"1/s\"\n");
    check(
        "cycle",
        "[service.a]\ncalls = [\"b\"]\n[service.b]\ncalls = [\"c\"]\n[service.c]\ncalls = [\"b\"]\n[load]\nrate = \"1/s\"\n",
    );
    check("empty", "");
    check("not-toml", "[service.checkout\ncalls = [\n");
    check(
        "planes",
        &format!(
            "compare = [\"service-conect\"]\n{}",
            shop(
                "[plane.mine]\nttl = \"1s\"\n[plane.a]\nextends = \"b\"\n[plane.b]\nextends = \"a\"\n[plane.internal-alb]\nalgorithm = \"weighted_randm\"\ntll = \"5s\"\n"
            )
        ),
    );
    check(
        "unknown-keys",
        &shop("x_note = 1\n[run]\nduraton = \"1m\"\nx_why = \"mine\"\n[services.c]\n").replace("tasks = 6", "task = 6"),
    );
}

#[test]
fn overrides_are_checked_like_the_file() {
    let options =
        |set: &[&str]| LoadOptions { set: set.iter().map(|s| (*s).to_owned()).collect(), ..LoadOptions::default() };
    check_with(
        "override",
        &shop(""),
        &options(&["run.duration=66", "service.payments.taks=4", "nonsense", "load.0.rate=\"1/s\""]),
    );
    let loaded = parse(
        "s",
        &shop(""),
        Path::new("."),
        &LoadOptions {
            duration: Some("2m".to_owned()),
            seed: Some(9),
            fast: true,
            ..options(&["service.payments.tasks=8"])
        },
    )
    .unwrap();
    assert_eq!(loaded.scenario.run.duration.to_string(), "2m");
    assert_eq!((loaded.scenario.run.seed, loaded.scenario.services[1].tasks), (9, 8));
}

#[test]
fn planes_can_be_narrowed() {
    let options = LoadOptions { planes: vec!["service-connect".to_owned()], ..LoadOptions::default() };
    let scenario = parse("s", WEDGED, Path::new("."), &options).unwrap().scenario;
    assert_eq!(scenario.planes.len(), 1);
    assert_eq!(scenario.expects.len(), 1);
    let options = LoadOptions { planes: vec!["dircet".to_owned()], ..LoadOptions::default() };
    assert!(findings(WEDGED, &options)[0].label.contains("direct"));
}

#[test]
fn digests_follow_text_and_overrides() {
    let digest = |text: &str, options: &LoadOptions| parse("s", text, Path::new("."), options).unwrap().scenario.digest;
    let plain = digest(WEDGED, &LoadOptions::default());
    assert_eq!(plain, digest(WEDGED, &LoadOptions::default()));
    assert_ne!(plain, digest(&format!("{WEDGED}\n"), &LoadOptions::default()));
    assert_ne!(plain, digest(WEDGED, &LoadOptions { seed: Some(2), ..LoadOptions::default() }));
}

#[test]
fn what_is_filled_in_loads_again() {
    for text in [
        WEDGED,
        include_str!("examples/rolling-deploy.toml"),
        include_str!("examples/scale-in-dns-ttl.toml"),
        REFERENCE,
        &shop(DEPLOYS),
    ] {
        let loaded = parse("s", text, &root().join("data"), &LoadOptions::default()).unwrap();
        let again = filled(&loaded);
        let found = parse("again", &again, &root().join("data"), &LoadOptions::default());
        let found = found.map_err(|found| render_all(&found, Form::Full(Charset::Unicode)));
        let found = found.unwrap().scenario;
        assert_eq!(found.services, loaded.scenario.services);
        assert_eq!(found.deploys, loaded.scenario.deploys);
        assert!(again.contains("# default"));
        assert!(!loaded.scenario.assumptions.is_empty());
    }
}

#[test]
fn pipes_and_programs_get_their_own_forms() {
    let found = findings(&WEDGED.replace("calls = [\"payments\"]", "calls = [\"paymnets\"]"), &LoadOptions::default());
    assert!(found[0].one_line().starts_with("shop.toml:6:10: error[scenario::unknown-service] `checkout` calls"));
    let json = serde_json::to_value(found[0].record()).unwrap();
    assert_eq!((json["line"].as_u64(), json["severity"].as_str()), (Some(6), Some("error")));
    assert!(found[0].render(Charset::Ascii).is_ascii());
}

#[test]
fn hostile_files_end_in_a_diagnostic_soon() {
    let dir = std::env::temp_dir().join(format!("scsim-hostile-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let large = dir.join("large.toml");
    fs::File::create(&large).unwrap().set_len(100 << 20).unwrap();
    let cases = [
        (large, "scenario::too-large"),
        (write("random.toml", &(0..=255).cycle().take(4096).collect::<Vec<u8>>()), "scenario::read"),
        (write("utf16.toml", &[0xff, 0xfe, b'a', 0]), "scenario::read"),
        (write("deep.toml", format!("a = {}", "[".repeat(100_000)).as_bytes()), "scenario::nesting"),
        (write("tables.toml", format!("a = {}", "{b=".repeat(100_000)).as_bytes()), "scenario::nesting"),
        (write("dotted.toml", format!("{}a = 1", "a.".repeat(100_000)).as_bytes()), "scenario::syntax"),
        (write("junk.toml", "=]".repeat(400_000).as_bytes()), "scenario::syntax"),
        (dir.join("absent.toml"), "scenario::read"),
        (dir.clone(), "scenario::read"),
    ];
    for (path, code) in cases {
        let found = load(&path, &LoadOptions::default()).unwrap_err();
        assert_eq!(found[0].code, code, "{}", path.display());
    }
    let service = |i: usize| format!("[service.s{i}]\ncalls = [\"t{i}\", \"s{}\"]\n", (i + 1) % 4_000);
    let wide = (0..4_000).map(service).collect::<Vec<_>>().concat();
    assert!(!findings(&wide, &LoadOptions::default()).is_empty());
    let bom = write("bom.toml", format!("\u{feff}{WEDGED}").as_bytes());
    assert!(load(&bom, &LoadOptions::default()).is_ok());
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn includes_merge_below_the_file() {
    let dir = std::env::temp_dir().join(format!("scsim-include-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("topology.toml"), "[service.a]\ntasks = 4\ncalls = [\"b\"]\n[service.b]\nlatency = \"1ms\"\n")
        .unwrap();
    let text = "include = [\"topology.toml\"]\n[service.a]\ntasks = 9\n[load]\nrate = \"1/s\"\n";
    let scenario = parse("s", text, &dir, &LoadOptions::default()).unwrap().scenario;
    assert_eq!((scenario.services.len(), scenario.services[0].tasks, scenario.edges.len()), (2, 9, 1));
    assert!(parse("s", "include = [\"nowhere.toml\"]\n", &dir, &LoadOptions::default()).is_err());
    fs::remove_dir_all(&dir).unwrap();
}

/// A valid scenario with a few edits: pieces taken out, doubled, or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0_usize..12, "[\\[\\]{}=\"#.,\\-%a-z0-9 \n]{0,6}", any::<bool>());
    (any::<bool>(), prop::collection::vec(edit, 1..6)).prop_map(|(small, edits)| {
        let mut text: Vec<char> = if small { WEDGED } else { REFERENCE }.chars().collect();
        for (at, length, new, double) in edits {
            let from = at.index(text.len());
            let to = (from + length).min(text.len());
            let old: Vec<char> = text[from..to].to_vec();
            let mut put: Vec<char> = new.chars().collect();
            if double {
                put.extend(old);
            }
            text.splice(from..to, put);
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_scenarios_never_panic(text in mutated()) {
        let found = findings(&text, &LoadOptions::default());
        let _ = render_all(&found, Form::Full(Charset::Unicode));
        let _ = render_all(&found, Form::OneLine);
    }

    #[test]
    fn random_text_never_panics(text in any::<String>(), set in any::<String>()) {
        let options = LoadOptions { set: vec![set], ..LoadOptions::default() };
        let _ = render_all(&findings(&text, &options), Form::Full(Charset::Ascii));
        let _ = render_all(&findings(WEDGED, &options), Form::Full(Charset::Ascii));
    }
}
