//! The bytes of a data file: without a gzip around them, and digested.

use std::io::{BufRead, BufReader, Chain, Cursor, Read};

use bbans_core::Result;
use flate2::bufread::MultiGzDecoder;

use super::reader::End;

/// A data file's bytes.
pub(super) type Stream = BufReader<Hashed<Box<dyn Read + Send>>>;
/// The same, with what was read already before them.
pub(super) type Chained = Chain<Cursor<Vec<u8>>, Stream>;

/// The stream without a gzip around it.
pub(super) fn unzipped(input: impl Read + Send + 'static) -> Result<Stream> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let input: Box<dyn Read + Send> = if input.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(input))
    } else {
        Box::new(input)
    };
    let hashed = Hashed {
        input,
        hasher: blake3::Hasher::new(),
        bytes: 0,
    };
    Ok(BufReader::with_capacity(1 << 16, hashed))
}

/// Bytes that were read already, and then those of a stream.
pub(super) fn chained(first: Vec<u8>, stream: Stream) -> Chained {
    Cursor::new(first).chain(stream)
}

/// What is known of a stream once it was read.
pub(super) fn end(stream: Stream, cut: u8) -> End {
    let hashed = stream.into_inner();
    End {
        cut,
        digest: hashed.hasher.finalize().into(),
        bytes: hashed.bytes,
    }
}

/// A reader that digests what goes through it.
pub(super) struct Hashed<R> {
    input: R,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.input.read(buf)?;
        self.hasher.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}
