//! THE MACHINE UNDER IT: what several rooms need of files, clocks and threads and would otherwise each write for themselves. It
//! knows nothing of what the product is about.

pub mod clock;
pub mod files;
pub mod handles;
pub mod waiting;
