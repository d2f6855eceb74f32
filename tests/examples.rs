//! Every example loads, and the wedged replica means what its comments say.

use std::path::Path;

use scsim::diagnostic::Charset;
use scsim::diagnostic::Form;
use scsim::diagnostic::render_all;
use scsim::scenario::*;
use scsim::units::*;

fn example(name: &str) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples").join(name);
    match load(&path, &LoadOptions::default()) {
        Ok(loaded) => loaded,
        Err(found) => panic!("{}", render_all(&found, Form::Full(Charset::Unicode))),
    }
}

#[test]
fn the_wedged_replica_is_read_as_written() {
    let loaded = example("wedged-replica.toml");
    assert_eq!(loaded.warnings, []);
    let scenario = loaded.scenario;
    assert_eq!(scenario.title, "One wedged payments task that still passes its health check");
    assert_eq!(scenario.run.duration, Span::from_secs(300));
    assert_eq!(scenario.run.replications, Replications::Fixed(20));
    assert_eq!(scenario.zones, ["a", "b", "c"]);
    let names: Vec<&str> = scenario.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["checkout", "payments"]);
    assert_eq!(scenario.services[0].tasks, 3);
    assert_eq!(scenario.services[1].tasks, 6);
    assert_eq!(scenario.edges, [Edge { from: ServiceId(0), to: ServiceId(1) }]);
    assert!(matches!(scenario.services[0].endpoints[0].steps[..], [Step::Call(CallSite { edge: EdgeId(0), .. })]));
    assert!(matches!(scenario.services[1].endpoints[0].steps[..], [Step::Work(Distribution::LogNormal { .. })]));
    assert_eq!(scenario.loads.len(), 1);
    assert_eq!(scenario.loads[0].entry, ServiceId(0));
    let planes: Vec<&str> = scenario.planes.iter().map(|plane| plane.name.as_str()).collect();
    assert_eq!(planes, ["service-connect", "cloud-map-dns", "internal-alb"]);
    assert_eq!(scenario.planes[0].edge_policies.len(), 1);
    assert_eq!(
        scenario.faults,
        [Fault {
            name: "fault 1".to_owned(),
            kind: FaultKind::Wedge { status: 503 },
            target: Target::Task(ServiceId(1), 1),
            when: When::Once { at: Time::ZERO + Span::from_secs(60), lasts: Some(Span::from_secs(180)) },
            how: How::default(),
        }]
    );
    assert_eq!(scenario.expects.len(), 2);
    assert_eq!(scenario.expects[0].planes, [0]);
    assert_eq!(scenario.expects[0].line, 26);
    assert_eq!(scenario.expects[1].right, Operand::Number(0.1));
    assert_eq!(scenario.expects[1].during, Window::AnyFault);
    assert!(scenario.unmodelled.is_empty());
    assert_eq!(scenario.digest.len(), 64);
}

#[test]
fn every_example_loads() {
    for name in ["tiny.toml", "rolling-deploy.toml", "scale-in-dns-ttl.toml"] {
        let loaded = example(name);
        assert_eq!(loaded.warnings, [], "{name}");
        assert!(loaded.scenario.unmodelled.is_empty(), "{name}");
    }
}

#[test]
fn the_reference_loads_and_says_what_is_not_modelled_yet() {
    let scenario = example("reference.toml").scenario;
    let what: Vec<&str> = scenario.unmodelled.iter().map(|found| found.what.as_str()).collect();
    for part in ["ads.hgrm", "inventory-latency.csv", "arrivals.csv"] {
        assert!(what.iter().any(|what| what.contains(part)), "{part} in {what:?}");
    }
    assert_eq!(scenario.planes.len(), 4);
    assert_eq!(scenario.loads.len(), 4);
    assert_eq!(scenario.expects.len(), 4);
}
