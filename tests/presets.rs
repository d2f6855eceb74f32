//! The presets, value by value. Goal: no field of one moves unseen. Method: all of them as text beside a golden;
//! `SCSIM_BLESS=1 cargo test --test presets` writes it anew, and `scsim explain` names the source of each value.

#![expect(clippy::disallowed_methods, reason = "goldens are blessed by an environment variable")]

use std::fmt::Write as _;

use scsim::policy::PolicyConfig;

#[test]
fn each_field_of_each_preset_is_as_it_was() {
    let mut text = String::new();
    for (name, preset) in [
        ("envoy_default", PolicyConfig::envoy_default()),
        ("service_connect", PolicyConfig::service_connect()),
        ("app_mesh", PolicyConfig::app_mesh()),
        ("alb_node", PolicyConfig::alb_node()),
        ("dns_client", PolicyConfig::dns_client()),
        ("direct", PolicyConfig::direct()),
    ] {
        let _ = writeln!(text, "{name} {preset:#?}\n");
    }
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/presets.txt");
    if std::env::var_os("SCSIM_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&golden, &text).unwrap();
    }
    let known = std::fs::read_to_string(&golden).unwrap_or_default();
    for (at, (was, is)) in known.lines().zip(text.lines()).enumerate() {
        assert_eq!(is, was, "line {} of {}", at + 1, golden.display());
    }
    assert_eq!(text.lines().count(), known.lines().count());
}
