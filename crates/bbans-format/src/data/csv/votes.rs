//! Which quotes the cells of a column have, by what most of them show.

use std::collections::HashSet;

use bbans_nn::description::Column;

use super::decimal;
use super::dialect::CellQuotes;
use super::quotes::{Quotes, content};

/// The cells of one column, as far as it has their texts and numbers.
pub(super) struct Poll<'a> {
    column: &'a Column,
    known_texts: HashSet<&'a [u8]>,
    texts: Votes,
    numbers: Votes,
}

impl<'a> Poll<'a> {
    pub(super) fn new(column: &'a Column) -> Self {
        Self {
            column,
            known_texts: column.texts.iter().map(String::as_bytes).collect(),
            texts: Votes::default(),
            numbers: Votes::default(),
        }
    }

    pub(super) fn add(&mut self, raw: &[u8], delimiter: u8) {
        let Some(content) = content(raw) else {
            return;
        };
        let numbers = self.column.numbers.as_ref();
        if self.known_texts.contains(&*content) {
            self.texts.add(raw, &content, delimiter);
        } else if numbers.is_some_and(|numbers| decimal::index(numbers, &content).is_some()) {
            self.numbers.add(raw, &content, delimiter);
        }
    }

    /// The quotes of each column; where nothing was seen, those of the other columns.
    pub(super) fn elect(polls: &[Self]) -> Vec<CellQuotes> {
        let of_all = |votes: fn(&Self) -> &Votes| {
            let all = polls.iter().map(votes).fold(Votes::default(), Votes::merge);
            all.best().unwrap_or(Quotes::Needed)
        };
        let (texts, numbers) = (of_all(|poll| &poll.texts), of_all(|poll| &poll.numbers));
        let quotes = polls.iter().map(|poll| CellQuotes {
            texts: poll.texts.best().unwrap_or(texts),
            numbers: poll.numbers.best().unwrap_or(numbers),
        });
        quotes.collect()
    }
}

/// How many cells each kind of quotes writes as they are.
#[derive(Clone, Copy, Default)]
struct Votes([usize; Quotes::ALL.len()]);

impl Votes {
    fn add(&mut self, raw: &[u8], content: &[u8], delimiter: u8) {
        let quoted = raw.starts_with(b"\"");
        for (votes, quotes) in self.0.iter_mut().zip(Quotes::ALL) {
            *votes += usize::from(quotes.enclose(content, delimiter) == quoted);
        }
    }

    fn merge(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a += b);
        self
    }

    /// The first kind with the most votes; `None` without any.
    fn best(&self) -> Option<Quotes> {
        let most = self.0.iter().copied().max().filter(|&most| most > 0)?;
        let mut pairs = self.0.iter().zip(Quotes::ALL);
        pairs
            .find(|(votes, _)| **votes == most)
            .map(|(_, quotes)| quotes)
    }
}
