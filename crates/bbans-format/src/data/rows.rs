//! Some consecutive data, as symbols.

/// Some consecutive data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Number of data; none at the end of the file.
    pub count: usize,
    /// Their symbols, row-major `[count, dims]`.
    pub symbols: Vec<u16>,
    /// What the symbols do not say, in ascending order.
    pub exceptions: Vec<Exception>,
}

/// A value that has no symbol: what stands in the file in the place of the symbol's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Which of the symbols of the data that were read together.
    pub at: usize,
    /// The file's bytes.
    pub bytes: Vec<u8>,
}
