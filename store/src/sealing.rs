//! What seals personal values, and what forgets: the keys, the epochs that wrap them, and the door on which values are
//! sealed and opened.

pub(crate) mod cipher;
mod epoch_checks;
pub(crate) mod epochs;
pub(crate) mod key_error;
pub(crate) mod key_file;
pub(crate) mod keys;
pub(crate) mod rotation;
pub(crate) mod values;
