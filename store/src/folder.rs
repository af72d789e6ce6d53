//! The data folder: what lies where in it, what it says of itself, and how a process has it to itself.

pub(crate) mod data_folder;
pub(crate) mod format;
pub(crate) mod names;
pub(crate) mod private_files;
