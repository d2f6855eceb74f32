//! `migrate_to`: a plane's second path.
//!
//! *Knows* which two planes can be live side by side. *Does not know* who moves, nor when.

use indexmap::IndexMap;

use crate::scenario::Mechanism;
use crate::scenario::Plane;
use crate::scenario::planes::BUILT_IN;
use crate::scenario::planes::Draft;
use crate::scenario::table::Problems;
use crate::scenario::value;

/// Gives a plane the path that it names, or says why it cannot have it.
pub fn add(
    plane: &mut Plane,
    drafts: &IndexMap<String, Draft>,
    planes: &IndexMap<String, Plane>,
    problems: &mut Problems<'_>,
) {
    let Some(draft) = drafts.get(&plane.name) else { return };
    let Some(node) = draft.table.get("migrate_to") else { return };
    let Some(name) = value::text(node, problems) else { return };
    let Some(other) = planes.get(name) else {
        let near = crate::diagnostic::nearest(name, planes.keys().map(String::as_str));
        let label = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", planes.keys().cloned().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("there is no plane `{name}` to move to");
        return problems.error("scenario::unknown-plane", &node.place, message, label);
    };
    let direct = [&plane.mechanism, &other.mechanism].into_iter().any(|one| matches!(one, Mechanism::Direct));
    let same = std::mem::discriminant(&plane.mechanism) == std::mem::discriminant(&other.mechanism);
    let again = drafts.get(name).is_some_and(|draft| draft.table.get("migrate_to").is_some());
    let wrong = if direct {
        Some("`direct` is an ideal: nobody moves from it or to it".to_owned())
    } else if same {
        Some(format!("`{}` and `{name}` are of one kind: a task cannot be in both", plane.name))
    } else if again {
        Some(format!("`{name}` has a `migrate_to` of its own"))
    } else {
        None
    };
    if let Some(message) = wrong {
        let fit = BUILT_IN.iter().filter_map(|(built_in, _)| planes.get(*built_in)).filter(|fit| {
            let kind = std::mem::discriminant(&fit.mechanism);
            kind != std::mem::discriminant(&plane.mechanism) && !matches!(fit.mechanism, Mechanism::Direct)
        });
        let label = format!("one of {}", fit.map(|fit| fit.name.as_str()).collect::<Vec<_>>().join(", "));
        return problems.error("scenario::migrate", &node.place, message, label);
    }
    let mut second = other.clone();
    // One network under both.
    second.network = plane.network.clone();
    plane.not_applicable = plane.not_applicable.take().or_else(|| second.not_applicable.clone());
    plane.warning = match (plane.warning.take(), &second.warning) {
        (Some(one), Some(two)) if one != *two => Some(format!("{one}; {two}")),
        (one, two) => one.or_else(|| two.clone()),
    };
    plane.second = Some(Box::new(second));
}
