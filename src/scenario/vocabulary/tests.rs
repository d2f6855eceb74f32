//! The readers at work, held against the table of words.
//!
//! Each file is loaded while every question of every reader is noted. A table of the file then must have
//! been asked for the very keys that the vocabulary has for it, and each value for the form that it says.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;

use super::Form;
use super::Table;
use super::of;
use super::tables;
use crate::scenario::LoadOptions;
use crate::scenario::parse;
use crate::scenario::tree;
use crate::scenario::tree::Node;
use crate::scenario::tree::Value;
use crate::scenario::watch;
use crate::scenario::watch::Asked;

type Notes = BTreeMap<(usize, usize), Vec<Asked>>;

/// What was seen over all files.
#[derive(Default)]
struct Seen {
    /// Keys that readers asked for, by table.
    keys: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// Keys whose value was asked for in the form of the vocabulary.
    values: BTreeSet<String>,
    wrong: Vec<String>,
}

struct Walk<'a> {
    file: &'a str,
    root: &'a tree::Table,
    notes: &'a Notes,
    seen: &'a mut Seen,
}

impl Walk<'_> {
    fn notes(&self, span: &Range<usize>) -> &[Asked] {
        self.notes.get(&(span.start, span.end)).map_or(&[], Vec::as_slice)
    }

    /// A table that stands at one of these places.
    fn table(&mut self, words: &'static Table, given: &tree::Table, places: &[&Range<usize>]) {
        let asked: Vec<&'static str> = places
            .iter()
            .flat_map(|span| self.notes(span))
            .filter_map(|asked| match asked {
                // What stands nowhere shares its place with the file.
                Asked::Keys(keys) if !words.name.is_empty() || keys.contains(&"plane") => Some(keys.iter().copied()),
                _ => None,
            })
            .flatten()
            .collect();
        self.seen.keys.entry(words.name).or_default().extend(asked);
        for (name, entry) in &given.entries {
            if name.starts_with("x_") {
                continue;
            }
            match words.all().find(|key| key.name == name) {
                Some(key) => {
                    let path = format!("{}.{name}", words.name);
                    self.value(&path, key.form, &entry.node, &entry.key.span);
                }
                None if (words.unmodelled)().contains(&name.as_str()) => {}
                None => self.seen.wrong.push(format!("{}: [{}] has no `{name}`", self.file, words.name)),
            }
        }
    }

    fn value(&mut self, path: &str, form: Form, node: &Node, key: &Range<usize>) {
        let span = node.place.span.clone();
        match (form, &node.value) {
            (Form::Table(name), Value::Table(given)) => {
                self.seen.values.insert(path.to_owned());
                self.table(of(name).unwrap(), given, &[&span, key]);
            }
            (Form::Named(name), Value::Table(given)) => {
                self.seen.values.insert(path.to_owned());
                for (own, entry) in &given.entries {
                    let words = if name == "plane" { plane(self.root, own) } else { of(name).unwrap() };
                    if let Value::Table(given) = &entry.node.value {
                        self.table(words, given, &[&entry.node.place.span, &entry.key.span]);
                    }
                }
            }
            (Form::List(inner), Value::List(items)) => {
                self.seen.values.insert(path.to_owned());
                for item in items {
                    self.value(path, *inner, item, &item.place.span);
                }
            }
            (Form::Steps, Value::List(items)) => {
                self.seen.values.insert(path.to_owned());
                let forms = Form::Either(&[Form::Text, Form::Steps, Form::Table("service.steps")]);
                for item in items {
                    self.value(path, forms, item, &item.place.span);
                }
            }
            (Form::Either(forms), value) => {
                let table = |form: &Form| matches!(form, Form::Table(_) | Form::Named(_));
                let list = |form: &Form| matches!(form, Form::List(_) | Form::Steps);
                let chosen = forms.iter().find(|form| match value {
                    Value::Table(_) => table(form),
                    Value::List(_) => list(form),
                    _ => !table(form) && !list(form) && self.asked_for(form, &span),
                });
                match chosen {
                    Some(form) => self.value(path, *form, node, key),
                    None if forms.iter().any(|form| matches!(form, Form::Anything)) => {}
                    None if matches!(value, Value::Bool(false))
                        && forms.iter().any(|form| matches!(form, Form::Off)) =>
                    {
                        self.seen.values.insert(path.to_owned());
                    }
                    None => self.complain(path, &span),
                }
            }
            (Form::Anything, _) => {
                self.seen.values.insert(path.to_owned());
            }
            (form, _) if self.asked_for(&form, &span) => {
                self.seen.values.insert(path.to_owned());
            }
            _ => self.complain(path, &span),
        }
    }

    fn complain(&mut self, path: &str, span: &Range<usize>) {
        let notes = self.notes(span).to_vec();
        self.seen.wrong.push(format!("{}: {path} is read as {notes:?}", self.file));
    }

    /// Whether some reader asked for this form there.
    fn asked_for(&self, form: &Form, span: &Range<usize>) -> bool {
        self.notes(span).iter().any(|asked| match (form, asked) {
            (Form::Count(low, high), Asked::Form(Form::Count(least, most))) => (low, high) == (least, most),
            // A family of random times may narrow its parameter.
            (Form::Number(low, high), Asked::Form(Form::Number(least, most))) => low <= least && most <= high,
            // Families and kinds of fault look their words up themselves.
            // Envoy's percentages are told apart before anybody asks.
            (Form::Known(_) | Form::SizePer | Form::Money, Asked::Form(Form::Text))
            | (Form::Percent, Asked::Form(Form::Share)) => true,
            (Form::Known(words), Asked::Words(asked)) => words() == *asked,
            (Form::Words(words), Asked::Words(asked)) => *words == asked.as_slice(),
            (form, Asked::Form(asked)) => std::mem::discriminant(form) == std::mem::discriminant(asked),
            _ => false,
        })
    }
}

/// The table of a plane, by what it extends in the end.
fn plane(root: &tree::Table, name: &str) -> &'static Table {
    let mut here = name;
    loop {
        if let Some(words) = super::planes().find(|built_in| *built_in == here) {
            return of(&format!("plane.{words}")).unwrap();
        }
        let own = root.table("plane").and_then(|all| all.table(here)).unwrap();
        let Some(Value::Text(base)) = own.get("extends").map(|node| &node.value) else { panic!("{here}") };
        here = base;
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    found.sort();
}

fn look(file: &str, text: &str, base: &Path, seen: &mut Seen) {
    watch::notes();
    let loaded = parse(file, text, base, &LoadOptions::default());
    let mut notes = Notes::new();
    for (span, asked) in watch::notes() {
        notes.entry((span.start, span.end)).or_default().push(asked);
    }
    let loaded = loaded.unwrap_or_else(|problems| panic!("{file}: {problems:?}"));
    let root = loaded.tree.clone();
    let mut walk = Walk { file, root: &root, notes: &notes, seen };
    walk.table(of("").unwrap(), &root, &[&(0..0)]);
}

#[test]
fn readers_and_vocabulary_have_the_same_keys_and_forms() {
    let mut seen = Seen::default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    files(&root.join("scenarios/library"), &mut all);
    files(&root.join("tests/examples"), &mut all);
    files(&root.join("tests/data"), &mut all);
    for path in all {
        let text = std::fs::read_to_string(&path).unwrap();
        // A file with includes is several.
        if !text.contains("include") {
            look(&path.display().to_string(), &text, path.parent().unwrap(), &mut seen);
        }
    }
    assert_eq!(seen.wrong, [""; 0]);
    let mut differ = Vec::new();
    for table in tables().filter(|table| table.name != "plane") {
        let words: BTreeSet<&str> = table.all().map(|key| key.name).collect();
        let mut asked = seen.keys.get(table.name).cloned().unwrap_or_default();
        if table.name.starts_with("policy") {
            let refused = (table.unmodelled)();
            asked.retain(|key| words.contains(key) || !refused.contains(key));
        }
        // Allowed there because they were reported as swallowed.
        if ["run", "cost"].contains(&table.name) {
            asked.retain(|key| words.contains(key) || !crate::scenario::lower::TOP.contains(key));
        }
        if words != asked {
            differ.push(format!("{}: {:?}", table.name, words.symmetric_difference(&asked).collect::<Vec<_>>()));
        }
    }
    let unread: Vec<String> = tables()
        .filter(|table| table.name != "plane")
        .flat_map(|table| table.all().map(|key| format!("{}.{}", table.name, key.name)))
        .filter(|path| !seen.values.contains(path) && !ELSEWHERE.contains(&path.as_str()))
        .collect();
    assert_eq!(differ, [""; 0]);
    assert_eq!(unread, [""; 0]);
}

/// Values that no file which loads can have here: another file, what is refused, and what no built-in plane is asked.
const ELSEWHERE: [&str; 8] = [
    ".include",
    "fault.correlation",
    "fault.port",
    "plane.direct.extends",
    "plane.direct.migrate_to",
    "plane.app-mesh.migrate_to",
    "plane.internal-alb.migrate_to",
    "plane.cloud-map-dns.extends",
];

#[test]
fn a_plane_of_ones_own_has_the_keys_of_all_that_it_may_extend() {
    let names = |table: &Table| table.all().map(|key| key.name).collect::<BTreeSet<_>>();
    let every: BTreeSet<&str> = super::planes().flat_map(|name| names(of(&format!("plane.{name}")).unwrap())).collect();
    assert_eq!(names(of("plane").unwrap()), every);
}

#[test]
fn every_table_that_is_named_exists_and_has_each_key_once() {
    fn leads_to(form: &Form, found: &mut BTreeSet<&'static str>) {
        match form {
            Form::Table(name) | Form::Named(name) => {
                found.insert(name);
            }
            Form::List(inner) => leads_to(inner, found),
            Form::Either(forms) => forms.iter().for_each(|form| leads_to(form, found)),
            _ => {}
        }
    }
    let mut named = BTreeSet::from(["", "service.steps", "price-file"]);
    for table in tables() {
        let mut seen = BTreeSet::new();
        for key in table.all() {
            assert!(seen.insert(key.name), "{}.{} stands there twice", table.name, key.name);
            leads_to(&key.form, &mut named);
        }
        assert!(table.needs.iter().all(|need| seen.contains(need)), "{}", table.name);
    }
    named.extend(super::planes().map(|name| of(&format!("plane.{name}")).unwrap().name));
    assert_eq!(named, tables().map(|table| table.name).collect::<BTreeSet<_>>());
}

/// A default that is said as a value, in one spelling.
fn plain(form: &Form, text: &str) -> Option<String> {
    use crate::scenario::value;
    match form {
        Form::Span => value::parse_span(text).ok().map(|span| span.to_string()),
        Form::Share => value::parse_ratio(text).ok().map(|share| share.to_string()),
        Form::Size => value::parse_bytes(text).ok().map(|size| size.to_string()),
        Form::Cpu => value::parse_cpu(text).ok().map(|cpu| cpu.to_string()),
        Form::Count(..) => text.parse::<u64>().ok().map(|n| n.to_string()),
        Form::Truth => text.parse::<bool>().ok().map(|truth| truth.to_string()),
        Form::Words(words) => words.contains(&text).then(|| text.to_owned()),
        Form::Known(words) => words().contains(&text).then(|| text.to_owned()),
        Form::Either(forms) => forms.iter().find_map(|form| plain(form, text)),
        _ => None,
    }
}

/// Compares the values that `check --defaults` marks with what the vocabulary says of them.
fn compare(words: &'static Table, given: &toml::Table, compared: &mut BTreeSet<String>, wrong: &mut Vec<String>) {
    for (name, value) in given {
        let Some(key) = words.all().find(|key| key.name == name) else {
            wrong.push(format!("{}.{name} is printed and no word", words.name));
            continue;
        };
        let text = match value {
            toml::Value::Table(inner) => {
                if let Form::Table(table) = key.form {
                    compare(of(table).unwrap(), inner, compared, wrong);
                }
                continue;
            }
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if let (Some(said), Some(used)) = (plain(&key.form, key.default), plain(&key.form, &text)) {
            compared.insert(format!("{}.{name}", words.name));
            if said != used {
                wrong.push(format!("{}.{name}: {said} here, {used} is used", words.name));
            }
        }
    }
}

#[test]
fn defaults_are_those_that_the_readers_use() {
    let text = "compare = [\"service-connect\", \"cloud-map-dns\", \"internal-alb\"]\n\
                [service.a]\nhealth_check = {}\ncalls = [\"b\"]\n[service.b]\n\
                [load]\nrate = \"1/s\"\n[scaling.a]\nmax = 2\ntarget_rps = \"1/s\"\n\
                [[deploy]]\nat = \"10s\"\nservice = \"a\"\n";
    let loaded = parse("t", text, Path::new("."), &LoadOptions::default()).unwrap();
    let (mut compared, mut wrong) = (BTreeSet::new(), Vec::new());
    let mut words = of("").unwrap();
    for line in crate::scenario::filled(&loaded).lines() {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_matches(['[', ']']);
            words = match header.split('.').next().unwrap() {
                "plane" => of(header).unwrap(),
                section => of(section).unwrap_or(words),
            };
        } else if line.contains("# default") || line.contains(", default") || line.starts_with("health_check") {
            let Ok(given) = toml::from_str::<toml::Table>(line) else { continue };
            compare(words, &given, &mut compared, &mut wrong);
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(compared.len() > 55, "{} {compared:?}", compared.len());
}
