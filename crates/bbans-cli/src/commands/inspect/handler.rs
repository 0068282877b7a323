//! The work of `bbans inspect`.

use std::io::{self, BufReader, Read, Write};

use anyhow::{Context, Result};
use bbans::container::{Check, Content, Framing, Header, Part, Parts, StoredBlock, Trailer};
use bbans::data::Layout;
use serde::Serialize;

use super::{Args, model};
use crate::support::terminal::stdout;
use crate::support::{files, hex, members, models};

/// Blocks that the table shows; all are in the JSON.
const SHOWN: usize = 20;

pub(crate) fn run(args: &Args) -> Result<()> {
    let show = || {
        if model::is_model(&args.input) {
            let mut out = io::BufWriter::new(stdout()?.lock());
            model::show(&args.input, args.json, &mut out)?;
            return Ok(out.flush()?);
        }
        let input = BufReader::with_capacity(1 << 16, files::open(&args.input)?.0);
        show(args, &mut Counted { input, bytes: 0 })
    };
    show().with_context(|| args.input.display().to_string())
}

/// A reader that counts.
struct Counted<R> {
    input: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

fn show(args: &Args, file: &mut Counted<impl Read>) -> Result<()> {
    let mut out = io::BufWriter::new(stdout()?.lock());
    let mut end = 0;
    members::each(file, |header, file| {
        let header_bytes = file.bytes - end;
        let mut parts = Parts::new(file, &header)?;
        let mut blocks = Vec::new();
        let trailer = loop {
            match parts.read()? {
                Part::Block(block) => blocks.push(Shown::new(&block)),
                Part::Trailer(trailer) => break trailer,
            }
        };
        let sizes = Sizes::new(header_bytes, &blocks, file.bytes - end);
        end = file.bytes;
        let member = Member::new(&header, &blocks, &trailer, sizes);
        if args.json {
            serde_json::to_writer_pretty(&mut out, &member).map_err(io::Error::from)?;
            Ok(writeln!(out)?)
        } else {
            print(&mut out, &member, &header.source.layout)
        }
    })?;
    Ok(out.flush()?)
}

/// What is shown of a block: all but its words.
#[derive(Serialize)]
struct Shown {
    count: usize,
    packed: bool,
    points: usize,
    initial_words: usize,
    growth: u8,
    scale: u16,
    words: usize,
    stored_bytes: u64,
    bits_per_datum: f64,
}

impl Shown {
    fn new(block: &StoredBlock) -> Self {
        let (points, initial_words, growth, words) = match &block.content {
            // A message that begins with points begins with a word that is none of the initial ones.
            Content::Message { plan, words } => {
                let initial_words = if plan.points > 0 {
                    0
                } else {
                    plan.initial_words
                };
                (plan.points, initial_words, plan.growth, words.len())
            }
            Content::Packed(_) => (0, 0, 0, 0),
            Content::Independent(data) => (data.len(), 0, 0, 0),
        };
        Self {
            count: block.count,
            packed: matches!(block.content, Content::Packed(_)),
            points,
            initial_words,
            growth,
            scale: block.scale,
            words,
            stored_bytes: block.stored_bytes,
            bits_per_datum: 8.0 * block.stored_bytes as f64 / block.count as f64,
        }
    }
}

/// Bytes of a member's parts.
#[derive(Clone, Copy, Serialize)]
struct Sizes {
    header_bytes: u64,
    block_bytes: u64,
    trailer_bytes: u64,
    file_bytes: u64,
}

impl Sizes {
    fn new(header_bytes: u64, blocks: &[Shown], file_bytes: u64) -> Self {
        let block_bytes = blocks.iter().map(|b| b.stored_bytes).sum();
        Self {
            header_bytes,
            block_bytes,
            trailer_bytes: file_bytes - header_bytes - block_bytes,
            file_bytes,
        }
    }
}

/// What is shown of a member.
#[derive(Serialize)]
struct Member<'a> {
    version: u8,
    model: &'a str,
    model_fingerprint: String,
    model_built_in: Option<&'static str>,
    /// Of the model in the file.
    model_bytes: Option<usize>,
    framing: &'static str,
    unordered: bool,
    lanes: usize,
    whitened_words: usize,
    particles: usize,
    coupled: bool,
    block_len: usize,
    source: &'static str,
    shape: &'a [usize],
    count: u64,
    #[serde(flatten)]
    sizes: Sizes,
    digest: Option<String>,
    blocks: &'a [Shown],
}

impl<'a> Member<'a> {
    fn new(header: &'a Header, blocks: &'a [Shown], trailer: &Trailer, sizes: Sizes) -> Self {
        Self {
            version: header.version,
            model: &header.model_name,
            model_fingerprint: hex(header.known_fingerprint()),
            model_built_in: models::built_in(header).map(|m| m.name),
            model_bytes: header.model.as_ref().map(Vec::len),
            framing: match header.framing {
                Framing::Blocks => "blocks",
                Framing::Independent => "independent data",
                Framing::Lean => "lean",
            },
            unordered: header.way.unordered,
            lanes: header.way.lanes,
            whitened_words: header.way.whitened,
            particles: header.way.particles,
            coupled: header.way.coupled,
            block_len: header.block_len,
            source: header.source.kind(),
            shape: &header.source.shape,
            count: trailer.count,
            sizes,
            digest: match trailer.check {
                Check::Digest(digest) => Some(hex(&digest)),
                Check::Checksum(_) => None,
            },
            blocks,
        }
    }
}

fn print(out: &mut impl Write, member: &Member<'_>, layout: &Layout) -> Result<()> {
    let Sizes {
        header_bytes,
        block_bytes,
        trailer_bytes,
        file_bytes,
    } = member.sizes;
    let where_from = match (member.model_bytes, member.model_built_in) {
        (Some(bytes), _) => format!("in the file, {bytes} bytes"),
        (None, Some(_)) => "built in".to_owned(),
        (None, None) => "not built in".to_owned(),
    };
    writeln!(out, "format version  {}", member.version)?;
    writeln!(out, "model           {} ({where_from})", member.model)?;
    writeln!(out, "fingerprint     {}", member.model_fingerprint)?;
    writeln!(
        out,
        "source          {} of shape {:?}",
        member.source, member.shape
    )?;
    match layout {
        Layout::Png(pictures) => {
            let what = if pictures.single {
                "one file"
            } else {
                "a folder"
            };
            writeln!(
                out,
                "                {what}, {} bits a value, {} names",
                pictures.kind.depth,
                pictures.names.len()
            )?;
        }
        Layout::Array(array) => {
            let order = if array.fortran {
                ", in the order of Fortran"
            } else {
                ""
            };
            writeln!(
                out,
                "                values of type {}{order}",
                array.element.name()
            )?;
        }
        Layout::Csv(Some(dialect)) => {
            let delimiter = char::from(dialect.delimiter());
            writeln!(
                out,
                "                fields with {delimiter:?} between them"
            )?;
        }
        _ => {}
    }
    writeln!(out, "data            {}", member.count)?;
    writeln!(out, "lanes           {}", member.lanes)?;
    if member.particles > 1 {
        let coupled = if member.coupled { "" } else { ", not coupled" };
        writeln!(out, "particles       {}{coupled}", member.particles)?;
    }
    let order = if member.unordered {
        ", in no order"
    } else {
        ""
    };
    writeln!(out, "framing         {}{order}", member.framing)?;
    if let Some(digest) = &member.digest {
        writeln!(out, "digest          {digest}")?;
    }
    writeln!(
        out,
        "bytes           {file_bytes} = header {header_bytes} + blocks {block_bytes} + trailer {trailer_bytes}"
    )?;
    let blocks = member.blocks;
    if blocks.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:>6} {:>8} {:>8} {:>13} {:>7} {:>10} {:>11}",
        "block", "data", "points", "initial words", "growth", "bytes", "bits/datum"
    )?;
    for (i, b) in blocks.iter().enumerate().take(SHOWN) {
        let growth = match b.packed {
            true => "packed".to_owned(),
            false => format!("{}/256", b.growth),
        };
        writeln!(
            out,
            "{i:>6} {:>8} {:>8} {:>13} {:>7} {:>10} {:>11.2}",
            b.count, b.points, b.initial_words, growth, b.stored_bytes, b.bits_per_datum
        )?;
    }
    if blocks.len() > SHOWN {
        writeln!(
            out,
            "   ... and {} more (all with --json)",
            blocks.len() - SHOWN
        )?;
    }
    Ok(())
}
