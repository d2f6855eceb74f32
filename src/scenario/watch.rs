//! What readers ask for, noted while tests run and not otherwise.
//!
//! *Knows* places and questions. *Does not know* answers. The test of the vocabulary holds the notes
//! against the table of words.

#[cfg(test)]
use std::cell::RefCell;
#[cfg(test)]
use std::ops::Range;

use crate::scenario::tree::Place;
use crate::scenario::vocabulary::Form;

/// A question of a reader.
#[cfg(test)]
#[derive(Clone, Debug)]
pub enum Asked {
    /// For a value of this form.
    Form(Form),
    /// For one of these words.
    Words(Vec<&'static str>),
    /// For a list.
    List,
    /// For keys of a table.
    Keys(Vec<&'static str>),
}

#[cfg(test)]
thread_local! {
    static NOTES: RefCell<Vec<(Range<usize>, Asked)>> = const { RefCell::new(Vec::new()) };
}

/// Takes the notes so far.
#[cfg(test)]
pub fn notes() -> Vec<(Range<usize>, Asked)> {
    NOTES.with(RefCell::take)
}

#[cfg(test)]
fn note(place: &Place, asked: Asked) {
    NOTES.with(|notes| notes.borrow_mut().push((place.span.clone(), asked)));
}

/// Somebody asks for a value of this form.
#[inline]
pub fn form(place: &Place, form: Form) {
    #[cfg(test)]
    note(place, Asked::Form(form));
    #[cfg(not(test))]
    let _ = (place, form);
}

/// Somebody asks for one of these words.
#[inline]
pub fn words<T>(place: &Place, words: &[(&'static str, T)]) {
    #[cfg(test)]
    note(place, Asked::Words(words.iter().map(|(word, _)| *word).collect()));
    #[cfg(not(test))]
    let _ = (place, words);
}

/// Somebody asks for a list.
#[inline]
pub fn list(place: &Place) {
    #[cfg(test)]
    note(place, Asked::List);
    #[cfg(not(test))]
    let _ = place;
}

/// Somebody has asked for these keys.
#[cfg(test)]
pub fn keys(place: &Place, keys: &[&'static str]) {
    note(place, Asked::Keys(keys.to_vec()));
}
