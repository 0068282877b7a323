//! Pictures, one a file: PNG and the binary kinds of PNM, and folders of them.

pub(crate) mod folder;
mod kept;
pub(crate) mod png;
pub(crate) mod pnm;
pub(crate) mod samples;
