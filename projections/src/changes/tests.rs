//! What events change, told in small stories and asked of every tag ever written.
