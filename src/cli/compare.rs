//! `scsim compare`: two results, or two scenarios that are run for it.

use std::path::Path;

use super::Exit;
use super::args::Common;
use super::args::CompareArgs;
use super::args::Format;
use super::args::Shape;
use super::console;
use super::console::Console;
use super::console::complain;
use super::gate;
use super::loading;
use super::loading::Often;
use super::outputs;
use super::run;
use crate::report::Report;
use crate::report::compare;
use crate::report::compare::Compared;
use crate::report::compare::Terms;
use crate::report::compare::saved;
use crate::report::compare::saved::Saved;
use crate::report::compare::show;
use crate::report::json;
use crate::report::text::Style;

/// Compares.
pub fn compare(console: &Console, common: &Common, args: &CompareArgs) -> Exit {
    match compared(console, common, args) {
        Ok(compared) => write(console, common, args, &compared),
        Err(exit) => exit,
    }
}

fn compared(console: &Console, common: &Common, args: &CompareArgs) -> Result<Compared, Exit> {
    if common.format == Format::Csv {
        complain("error: a comparison has no CSV; --json FILE has every figure");
        return Err(Exit::Usage);
    }
    outputs::one_owner_of_stdout(common, &[("--json", &args.json), ("--markdown", &args.markdown)])?;
    let named = [("--output", &common.output), ("--json", &args.json), ("--markdown", &args.markdown)];
    outputs::check_all(&named, "what is compared", &[args.old.clone(), args.new.clone()])?;
    let is_scenario = |path: &Path| path.extension().is_some_and(|e| e == "toml");
    let shaped = args.shape != Shape::default() || args.replications.is_some() || args.fast;
    if shaped && !is_scenario(&args.old) && !is_scenario(&args.new) {
        complain("error: neither is a scenario, so there is nothing to override; results are as they are");
        return Err(Exit::Usage);
    }
    run::listen_for_signals();
    let side = |path: &Path, seed: Option<u64>| -> Result<Vec<Saved>, Exit> {
        if is_scenario(path) { simulated(console, common, args, path, seed) } else { gate::results(path) }
    };
    let old = side(&args.old, args.shape.seed)?;
    // The second is run from the first one's seed, so that both see the same arrivals.
    let new = side(&args.new, args.shape.seed.or_else(|| old.first().map(|result| result.seed)))?;
    let mut terms = Terms { noise: args.noise, metrics: Vec::new() };
    for word in &args.metric {
        let Some(key) = compare::key_of(word, &[&old, &new]) else {
            let known = old.iter().chain(&new).flat_map(|r| &r.planes).flat_map(|p| p.metrics.keys());
            let hint = loading::did_you_mean(word, known.map(String::as_str));
            complain(&format!("error: neither file has a figure `{word}`{hint}"));
            return Err(Exit::Usage);
        };
        terms.metrics.push(key);
    }
    let names = (args.old.display().to_string(), args.new.display().to_string());
    let compared = compare::compare((&names.0, &old), (&names.1, &new), &terms);
    if compared.changes().next().is_none() {
        complain("error: the two have no scenario and plane in common");
        return Err(Exit::Nothing);
    }
    Ok(compared)
}

/// The result of a scenario, run now, from another seed than its own if that is asked for.
fn simulated(
    console: &Console,
    common: &Common,
    args: &CompareArgs,
    path: &Path,
    seed: Option<u64>,
) -> Result<Vec<Saved>, Exit> {
    let often = Often { replications: args.replications, precision: None, fast: args.fast };
    let mut loaded = loading::loaded(console, path, &args.shape, &often).ok_or(Exit::Usage)?;
    if seed.is_some_and(|seed| seed != loaded.scenario.run.seed) {
        let shape = Shape { seed, ..args.shape.clone() };
        loaded = loading::quietly(path, &shape, &often).map_err(|_| Exit::Usage)?;
    }
    if loading::refuses_unmodelled(&loaded.scenario, &args.shape) {
        return Err(Exit::Usage);
    }
    let bar = console.progress();
    let study = run::simulate(&loaded.scenario, common.jobs, None, &|progress| bar.update(progress));
    bar.clear();
    let study = study.map_err(|error| {
        complain(&format!("error: {}: failed to {error}", path.display()));
        Exit::Usage
    })?;
    if study.partial {
        complain("scsim: interrupted, there is nothing to compare");
        return Err(Exit::Interrupted);
    }
    let mut report = Report::new(&loaded.scenario, &study, Vec::new());
    report.settings = loaded.settings();
    Ok(saved::read(&json::render_trimmed(&report)).expect("what was just written is a result file"))
}

fn write(console: &Console, common: &Common, args: &CompareArgs, compared: &Compared) -> Exit {
    let worse = compared.counts().worse > 0 && !args.exit_zero;
    let mut exit = if worse { Exit::Failed } else { Exit::Held };
    let json = || format!("{:#}\n", show::json(compared));
    let mut owned = false;
    if let Some(path) = &args.json {
        owned |= path == Path::new("-");
        exit = exit.or_worse(outputs::deliver(path, &json()));
    }
    if let Some(path) = &args.markdown {
        owned |= path == Path::new("-");
        exit = exit.or_worse(outputs::deliver(path, &show::markdown(compared)));
    }
    let to_file = common.output.as_deref().is_some_and(|path| path != Path::new("-"));
    let style = if to_file {
        Style { ascii: console.ascii, verbose: console.style.verbose, ..Style::PLAIN }
    } else {
        console.style
    };
    let main = match common.format {
        Format::Json => json(),
        Format::Markdown => show::markdown(compared),
        Format::Human | Format::Csv | Format::Html => show::text(compared, style, exit.code()),
    };
    match &common.output {
        Some(path) => exit.or_worse(outputs::deliver(path, &main)),
        None if owned || common.quiet && common.format == Format::Human => exit,
        None => exit.or_worse(console::print(&main)),
    }
}
