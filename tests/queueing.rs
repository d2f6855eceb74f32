//! The engine against queueing theory: the quick subset of `scsim validate`.

use std::sync::atomic::AtomicBool;

use scsim::validate;
use scsim::validate::CaseResult;
use scsim::validate::Options;

#[test]
fn the_quick_cases_agree_with_theory() {
    let stop = AtomicBool::new(false);
    let options = Options { ids: Vec::new(), quick: true, jobs: 0, stop: &stop, done: &|_| {} };
    let outcome = validate::run(&options).unwrap();
    let outside: Vec<String> = outcome.cases.iter().filter(|case| !case.holds()).map(CaseResult::text).collect();
    assert!(outside.is_empty(), "{}", outside.concat());
    assert!(outcome.cases.len() >= 12, "only {} cases are quick", outcome.cases.len());
}

#[test]
fn every_case_can_be_read_and_an_unknown_one_is_refused() {
    assert!(validate::ids().unwrap().len() >= 70);
    let stop = AtomicBool::new(false);
    let options = Options { ids: vec!["mm7".to_owned()], quick: false, jobs: 1, stop: &stop, done: &|_| {} };
    let error = validate::run(&options).unwrap_err();
    assert_eq!(error.to_string(), "find a case `mm7`");
}

#[test]
fn the_number_of_threads_changes_no_result() {
    let stop = AtomicBool::new(false);
    let run = |jobs| {
        let ids = vec!["jsq-n2-rho0.5".to_owned(), "healthcheck-I30-k2".to_owned()];
        validate::run(&Options { ids, quick: true, jobs, stop: &stop, done: &|_| {} }).unwrap()
    };
    assert_eq!(run(1), run(2));
}
