//! The whole from outside: what is promised to those who only see what is public.

mod contract;
mod crash_of_the_store;
mod demo;
mod store;
