//! A bot that is played: its flow as the designer exports it, and the machine that runs it. Pure: what a bot says and asks for is
//! handed to whoever plays it.

mod facts;
mod flow;
mod run;

pub use facts::Facts;
pub use flow::{Block, Condition, Conditions, Flow, FlowError, Goto, Look, Message, Operation, Part, Step};
pub use run::{Action, Ending, Run};
