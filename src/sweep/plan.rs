//! What a sweep is going to run.
//!
//! *Knows* the file, its fields and their values, and how a cell becomes a scenario. *Does not
//! know* in which order or on which machine cells are run.

use std::path::Path;
use std::path::PathBuf;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::scenario::CELLS_MAX;
use crate::scenario::LoadOptions;
use crate::scenario::Loaded;
use crate::scenario::Scenario;
use crate::scenario::Sweep;
use crate::scenario::in_file;
use crate::scenario::nobody;
use crate::scenario::with_cell;

/// Cells up to which every combination is checked before the first is run; beyond it, each value
/// alone is.
const CHECKED_MAX: u64 = 2_000;

/// A scenario file and what is varied in it.
pub struct Plan {
    /// The file as it is.
    pub base: Loaded,
    /// What is varied.
    pub sweep: Sweep,
    folder: PathBuf,
    options: LoadOptions,
}

impl Plan {
    /// Plans to vary `sweep` in a file that was loaded with `options` from `folder`.
    ///
    /// # Errors
    /// Every problem of any field or value.
    pub fn new(base: Loaded, sweep: Sweep, folder: &Path, options: &LoadOptions) -> Result<Plan, Vec<Diagnostic>> {
        let plan = Plan { base, sweep, folder: folder.to_owned(), options: options.clone() };
        let unknown: Vec<Diagnostic> =
            plan.sweep.axes.iter().filter_map(|axis| nobody(&plan.base, &axis.key)).collect();
        if !unknown.is_empty() {
            return Err(plan.placed(unknown));
        }
        for (i, axis) in plan.sweep.axes.iter().enumerate() {
            if plan.sweep.axes[..i].iter().any(|other| other.key == axis.key) {
                let message = format!("`{}` is varied twice", axis.key);
                return Err(vec![plan.about("sweep::twice", message).with_help("give it all its values at once")]);
            }
        }
        if plan.cells() > CELLS_MAX {
            let lengths: Vec<String> = plan.sweep.axes.iter().map(|axis| axis.values.len().to_string()).collect();
            let count = if plan.cells() == u64::MAX { "countless".to_owned() } else { plan.cells().to_string() };
            let message = format!("{} = {count} cells, at most {CELLS_MAX} are run", lengths.join(" × "));
            let help = "take fewer values, a range with fewer points (1..1000:log:7), or --one-at-a-time";
            return Err(vec![plan.about("sweep::cells", message).with_help(help)]);
        }
        plan.check()?;
        Ok(plan)
    }

    fn about(&self, code: &'static str, message: String) -> Diagnostic {
        Diagnostic::of_file(Severity::Error, code, self.base.source.name(), message)
    }

    /// Loads each value once, or each cell if they are few.
    fn check(&self) -> Result<(), Vec<Diagnostic>> {
        for axis in &self.sweep.axes {
            for value in &axis.values {
                self.load(vec![(axis.key.clone(), value.clone())])?;
            }
        }
        if self.cells() <= CHECKED_MAX && self.sweep.axes.len() > 1 {
            for index in 0..self.cells() {
                self.load(self.sweep.overrides(index))?;
            }
        }
        Ok(())
    }

    /// Warnings: fields that change nothing whatever they are set to.
    ///
    /// # Errors
    /// Problems of a value, which [`Plan::new`] has excluded.
    pub fn idle(&self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        let mut found = Vec::new();
        for axis in self.sweep.axes.iter().filter(|axis| axis.values.len() > 1) {
            let mut first: Option<Scenario> = None;
            let mut differs = false;
            for value in &axis.values {
                let mut scenario = self.load(vec![(axis.key.clone(), value.clone())])?.scenario;
                // The overrides are part of the digest, and an assumption may quote one.
                scenario.digest.clear();
                scenario.assumptions.clear();
                differs = first.as_ref().is_some_and(|first| *first != scenario);
                if differs {
                    break;
                }
                first.get_or_insert(scenario);
            }
            if !differs {
                let message = format!("`{}` changes nothing on the planes compared", axis.key);
                let source = self.base.source.name();
                let found_here = Diagnostic::of_file(Severity::Warning, "sweep::no-effect", source, message);
                found.push(found_here.with_help("every cell along it will show the same figures"));
            }
        }
        Ok(found)
    }

    /// How many cells there are.
    pub fn cells(&self) -> u64 {
        self.sweep.cells()
    }

    /// The scenario of one cell.
    ///
    /// # Errors
    /// What is wrong with this combination of values.
    pub fn scenario(&self, index: u64) -> Result<Scenario, Vec<Diagnostic>> {
        self.load(self.sweep.overrides(index)).map(|loaded| loaded.scenario)
    }

    fn load(&self, cell: Vec<(String, crate::scenario::AxisValue)>) -> Result<Loaded, Vec<Diagnostic>> {
        let options = LoadOptions { cell: Some(cell), ..self.options.clone() };
        with_cell(&self.base, &self.folder, &options).map_err(|problems| self.placed(problems))
    }

    /// Problems of fields and values, where the file says them if they are the file's own.
    fn placed(&self, problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let own = self.base.scenario.sweep.as_ref().is_some_and(|sweep| sweep.axes == self.sweep.axes);
        if !own {
            return problems;
        }
        problems.into_iter().map(|problem| in_file(&self.base, problem)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::SweepMode;
    use crate::scenario::parse;
    use crate::scenario::vary;

    const FILE: &str = "compare = [\"internal-alb\"]\n[service.a]\ncalls = [\"b\"]\n[service.b]\ntasks = 2\n\
        [load]\nrate = \"10/s\"\n[[fault]]\nname = \"grey\"\nat = \"60s\"\ntarget = \"b#1\"\nkind = \"errors\"\nrate = \"5%\"\n";

    fn plan(varied: &[&str], mode: SweepMode) -> Result<Plan, Vec<Diagnostic>> {
        let options = LoadOptions::default();
        let base = parse("t.toml", FILE, Path::new("."), &options).unwrap();
        let axes = varied.iter().map(|text| vary(text).unwrap()).collect();
        Plan::new(base, Sweep { axes, mode }, Path::new("."), &options)
    }

    #[test]
    fn a_cell_is_the_file_with_its_values() {
        let plan = plan(&["service.b.tasks=2,4", "fault.grey.rate=1%,100%"], SweepMode::Grid).unwrap();
        assert_eq!(plan.cells(), 4);
        let scenario = plan.scenario(2).unwrap();
        assert_eq!(scenario.services[1].tasks, 4);
        let same = self::plan(&["service.b.tasks=2,4", "fault.0.rate=1%,100%"], SweepMode::Grid).unwrap();
        assert_eq!(same.scenario(2).unwrap().faults, scenario.faults, "a fault has a name and a number");
        assert_ne!(plan.scenario(3).unwrap().faults, scenario.faults);
    }

    #[test]
    fn fields_that_do_not_exist_and_grids_without_end_are_refused() {
        for (varied, code) in [
            (&["service.c.tasks=1,2"][..], "sweep::unknown-field"),
            (&["plane.alb.hop=1ms,2ms"], "sweep::unknown-field"),
            (&["service.b.takss=1,2"], "scenario::unknown-key"),
            (&["fault.7.rate=1%,2%"], "sweep::unknown-field"),
            (&["fault.0.rate=1,2"], "scenario::unit"),
            (&["service.b.tasks=1..1000", "run.seed=1..1000"], "sweep::cells"),
            (&["service.b.tasks=1,2", "service.b.tasks=3,4"], "sweep::twice"),
        ] {
            let found = plan(varied, SweepMode::Grid).err().unwrap();
            assert_eq!(found[0].code, code, "{varied:?}: {found:?}");
        }
        assert!(plan(&["service.b.tasks=1..1000", "run.seed=1..1000"], SweepMode::OneAtATime).is_ok());
    }

    #[test]
    fn a_field_without_effect_is_told() {
        // Nobody on an ALB asks DNS.
        let plan = plan(&["plane.cloud-map-dns.ttl=5s,60s", "service.b.tasks=2,3"], SweepMode::Grid).unwrap();
        let idle = plan.idle().unwrap();
        assert_eq!(idle.len(), 1);
        assert!(idle[0].message.contains("plane.cloud-map-dns.ttl"), "{}", idle[0].message);
    }
}
