//! What a file consists of.

use super::encode::Written;

/// What a file consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Report {
    /// Number of data.
    pub count: u64,
    /// Observed dimensions of one datum.
    pub dims: usize,
    /// Bytes of the input, without a gzip around it.
    pub input_bytes: u64,
    /// Bytes of the file, everything included.
    pub file_bytes: u64,
    /// Bytes of the header, the trailer, and what surrounds the messages of the blocks, with the word that is in one which
    /// begins with points.
    pub frame_bytes: u64,
    /// Number of blocks.
    pub blocks: u64,
    /// Of these the blocks that are kept as they are.
    pub packed_blocks: u64,
    /// Initial bits of all blocks.
    pub initial_bits: u64,
    /// Growth of the messages over their initial bits.
    pub net_bits: f64,
    /// Data in a point code, with which messages begin that have no initial words.
    pub points: u64,
    /// Of the net bits those of points.
    pub point_bits: f64,
}

impl Report {
    /// File bytes as bits per observed dimension.
    pub fn gross_bits_per_dim(&self) -> f64 {
        8.0 * self.file_bytes as f64 / (self.count as f64 * self.dims as f64)
    }

    /// Net bits per observed dimension.
    pub fn net_bits_per_dim(&self) -> f64 {
        self.net_bits / (self.count as f64 * self.dims as f64)
    }

    pub(super) fn add(&mut self, block: &Written) {
        let bytes = block.bytes.len() as u64;
        self.count += block.count as u64;
        self.blocks += 1;
        self.packed_blocks += u64::from(block.packed);
        self.file_bytes += bytes;
        self.frame_bytes += bytes - block.content_bytes;
        self.initial_bits += block.initial_bits;
        self.net_bits += block.net_bits;
        self.points += block.points;
        self.point_bits += block.point_bits;
    }
}
