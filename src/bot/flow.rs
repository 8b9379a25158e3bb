//! A flow: steps of blocks, as the designer of the real service exports them and widgets return them.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use crate::http::json::{self, Document, Kind, Rules};

/// What a flow's text may hold.
const RULES: Rules = Rules { depth: 64, keys: 1_000 };

/// A checked flow: every jump in it has a target.
#[derive(Debug, Clone)]
pub struct Flow {
    /// The steps; a bot begins with the first one's question.
    pub steps: Vec<Step>,
}

/// A step: what the bot does when it comes there, when the user has answered, and after that.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Runs first.
    pub question: Vec<Block>,
    /// Runs when the user has answered; without it, no answer is waited for.
    pub answer: Option<Vec<Block>>,
    /// Runs last.
    pub finish: Vec<Block>,
}

/// A part of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What the bot does when it comes to the step.
    Question,
    /// What it does when the user has answered.
    Answer,
    /// What it does last.
    Finish,
}

/// One thing that a bot does.
#[derive(Debug, Clone)]
pub enum Block {
    /// Says something.
    Show(Message),
    /// Goes to another part of the flow.
    Goto(Goto),
    /// Does more when conditions hold.
    Conditions(Conditions),
    /// Leaves the flow by the exit with this code.
    Exits(String),
    /// Calls a widget's server and waits until it continues the bot.
    WidgetRequest {
        /// The server; may hold placeholders.
        url: String,
        /// What it is sent; texts in it may hold placeholders.
        data: Option<Box<RawValue>>,
    },
}

/// Something that a bot says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// How it looks.
    pub look: Look,
    /// The text.
    pub value: String,
    /// The buttons' texts, or their links.
    pub buttons: Vec<String>,
}

/// How a message looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Text only.
    Text,
    /// Buttons that answer with their text.
    Buttons,
    /// Buttons that open a link.
    Links,
}

/// A jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goto {
    /// Which part of the step.
    pub part: Part,
    /// The step, from 0.
    pub step: usize,
}

/// Blocks that run when conditions hold.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// Whether all conditions must hold (`and`), or one (`or`).
    pub all: bool,
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// What then runs.
    pub result: Vec<Block>,
}

/// A comparison of two texts; either may hold placeholders.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The left one.
    pub term1: String,
    /// The right one.
    pub term2: String,
    /// How they are compared.
    pub operation: Operation,
}

/// How two texts are compared. Numbers are ordered as numbers, everything else as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

/// Everything that is wrong with a flow, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowError(pub Vec<String>);

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for FlowError {}

impl Flow {
    /// Reads a flow: an array of steps, or an object with their numbers as keys.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its place.
    pub fn parse(text: &[u8]) -> Result<Self, FlowError> {
        let document = Document::parse(text, RULES).map_err(|why| FlowError(vec![why.to_string()]))?;
        let mut reader = Reader::default();
        let steps = document.as_ref().and_then(|document| steps(document.root()));
        let steps: Vec<Step> = if let Some(steps) = steps {
            steps.into_iter().enumerate().map(|(number, step)| reader.step(number, step)).collect()
        } else {
            reader.wrong("the flow", "must be an array of steps, or an object with the keys 0, 1, 2 …");
            Vec::new()
        };
        if reader.errors.is_empty() && steps.is_empty() {
            reader.wrong("the flow", "has no steps");
        }
        let flow = Self { steps };
        for (path, goto) in &reader.jumps {
            if let Err(why) = flow.find(*goto) {
                reader.errors.push(format!("{path}: {why}"));
            }
        }
        if reader.errors.is_empty() { Ok(flow) } else { Err(FlowError(reader.errors)) }
    }

    /// The blocks that a jump leads to.
    ///
    /// # Errors
    ///
    /// A sentence, when there is no such step, or it waits for no answer.
    pub fn find(&self, goto: Goto) -> Result<&[Block], String> {
        let Some(step) = self.steps.get(goto.step) else {
            let last = self.steps.len().saturating_sub(1);
            return Err(format!("there is no step {}; the last one is {last}", goto.step));
        };
        match goto.part {
            Part::Question => Ok(&step.question),
            Part::Answer => step.answer.as_deref().ok_or_else(|| format!("step {} has no `answer`", goto.step)),
            Part::Finish => Ok(&step.finish),
        }
    }
}

/// Reads the blocks that a widget has a bot run before it goes on.
///
/// # Errors
///
/// Everything that is wrong with them.
pub(super) fn blocks(text: &RawValue) -> Result<Vec<Block>, FlowError> {
    let mut reader = Reader::default();
    let blocks = reader.blocks("execute_handlers", text);
    if reader.errors.is_empty() { Ok(blocks) } else { Err(FlowError(reader.errors)) }
}

/// The steps in their order; an object's keys must be 0, 1, 2 …, in any order. Other keys of an export are settings of the chat.
fn steps(root: &RawValue) -> Option<Vec<&RawValue>> {
    if let Some(steps) = json::elements(root) {
        return Some(steps);
    }
    let members = json::members(root)?;
    let mut numbered: Vec<(usize, &RawValue)> =
        members.iter().filter_map(|(key, step)| Some((key.parse().ok()?, *step))).collect();
    numbered.sort_unstable_by_key(|(number, _)| *number);
    let gapless = numbered.iter().enumerate().all(|(index, (number, _))| index == *number);
    (gapless && !numbered.is_empty()).then(|| numbered.into_iter().map(|(_, step)| step).collect())
}

type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Collects what is wrong, and the jumps that must have a target.
#[derive(Default)]
struct Reader {
    errors: Vec<String>,
    jumps: Vec<(String, Goto)>,
}

fn get<'a>(members: &Members<'a>, name: &str) -> Option<&'a RawValue> {
    members.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
}

impl Reader {
    fn wrong(&mut self, path: &str, what: &str) {
        self.errors.push(format!("{path}: {what}"));
    }

    fn object<'a>(&mut self, path: &str, value: Option<&'a RawValue>) -> Members<'a> {
        let members = value.and_then(json::members);
        if members.is_none() {
            self.wrong(path, "must be an object");
        }
        members.unwrap_or_default()
    }

    fn step(&mut self, number: usize, step: &RawValue) -> Step {
        let path = format!("step {number}");
        let members = self.object(&path, Some(step));
        let mut part = |name: &str| get(&members, name).map(|blocks| self.blocks(&format!("{path}: {name}"), blocks));
        let (question, answer, finish) = (part("question"), part("answer"), part("finish"));
        Step { question: question.unwrap_or_default(), answer, finish: finish.unwrap_or_default() }
    }

    fn blocks(&mut self, path: &str, blocks: &RawValue) -> Vec<Block> {
        let Some(blocks) = json::elements(blocks) else {
            self.wrong(path, "must be an array of blocks");
            return Vec::new();
        };
        let read = |(index, block)| self.block(&format!("{path} {index}"), block);
        blocks.into_iter().enumerate().filter_map(read).collect()
    }

    fn block(&mut self, path: &str, block: &RawValue) -> Option<Block> {
        let members = self.object(path, Some(block));
        let handler = self.text(path, &members, "handler")?;
        let inside = format!("{path} ({handler})");
        let params = self.object(&format!("{inside}: params"), get(&members, "params"));
        match handler.as_str() {
            "show" => self.show(&inside, &params),
            "goto" => self.goto(&inside, &params),
            "conditions" => self.conditions(&inside, &params),
            "exits" => self.text(&inside, &params, "value").map(Block::Exits),
            "widget_request" => {
                let url = self.text(&inside, &params, "url")?;
                Some(Block::WidgetRequest { url, data: get(&params, "data").map(RawValue::to_owned) })
            }
            _ => {
                self.wrong(path, &format!("the handler `{handler}` is not played here; show, goto, conditions, exits and widget_request are"));
                None
            }
        }
    }

    fn show(&mut self, path: &str, params: &Members<'_>) -> Option<Block> {
        let look = match self.text(path, params, "type")?.as_str() {
            "text" => Look::Text,
            "buttons" => Look::Buttons,
            "buttons_url" => Look::Links,
            other => {
                self.wrong(path, &format!("the type `{other}` is not shown here; text, buttons and buttons_url are"));
                return None;
            }
        };
        let value = self.text(path, params, "value")?;
        let buttons = get(params, "buttons").map(|buttons| json::elements(buttons).ok_or(buttons));
        let buttons = match buttons {
            None => Vec::new(),
            Some(Ok(buttons)) => buttons.into_iter().filter_map(scalar).collect(),
            Some(Err(_)) => {
                self.wrong(path, "`buttons` must be an array of texts");
                return None;
            }
        };
        Some(Block::Show(Message { look, value, buttons }))
    }

    fn goto(&mut self, path: &str, params: &Members<'_>) -> Option<Block> {
        let part = match self.text(path, params, "type")?.as_str() {
            "question" => Part::Question,
            "answer" => Part::Answer,
            "finish" => Part::Finish,
            other => {
                self.wrong(path, &format!("the type `{other}` is none of question, answer and finish"));
                return None;
            }
        };
        let step = self.text(path, params, "step")?;
        let Ok(step) = step.parse() else {
            self.wrong(path, &format!("the step `{step}` is no number from 0"));
            return None;
        };
        let goto = Goto { part, step };
        self.jumps.push((path.to_owned(), goto));
        Some(Block::Goto(goto))
    }

    fn conditions(&mut self, path: &str, params: &Members<'_>) -> Option<Block> {
        let all = match get(params, "logic").and_then(json::text).as_deref() {
            Some("and") | None => true,
            Some("or") => false,
            Some(other) => {
                self.wrong(path, &format!("the logic `{other}` is neither and nor or"));
                return None;
            }
        };
        let Some(given) = get(params, "conditions").and_then(json::elements) else {
            self.wrong(path, "`conditions` must be an array");
            return None;
        };
        let read = |(index, condition)| self.condition(&format!("{path}: condition {index}"), condition);
        let conditions = given.into_iter().enumerate().filter_map(read).collect();
        let Some(result) = get(params, "result") else {
            self.wrong(path, "`result` is missing");
            return None;
        };
        let result = self.blocks(&format!("{path}: result"), result);
        Some(Block::Conditions(Conditions { all, conditions, result }))
    }

    fn condition(&mut self, path: &str, condition: &RawValue) -> Option<Condition> {
        let members = self.object(path, Some(condition));
        let operation = match self.text(path, &members, "operation")?.as_str() {
            "=" => Operation::Equal,
            "!=" => Operation::NotEqual,
            ">" => Operation::Greater,
            ">=" => Operation::GreaterOrEqual,
            "<" => Operation::Less,
            "<=" => Operation::LessOrEqual,
            other => {
                self.wrong(path, &format!("the operation `{other}` is none of = != > >= < <="));
                return None;
            }
        };
        let (term1, term2) = (self.text(path, &members, "term1"), self.text(path, &members, "term2"));
        Some(Condition { term1: term1?, term2: term2?, operation })
    }

    /// A text that must be there; numbers and truth values are taken as they are written.
    fn text(&mut self, path: &str, members: &Members<'_>, name: &str) -> Option<String> {
        let text = get(members, name).and_then(scalar);
        if text.is_none() {
            self.wrong(path, &format!("`{name}` must be a text"));
        }
        text
    }
}

fn scalar(value: &RawValue) -> Option<String> {
    match json::kind(value) {
        Kind::String => json::text(value),
        Kind::Number | Kind::Bool => Some(value.get().to_owned()),
        Kind::Object | Kind::Array | Kind::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> String {
        Flow::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_flow_is_an_array_or_a_numbered_object() {
        let one = r#"{"question":[{"handler":"show","params":{"type":"text","value":"hi"}}],"require":[]}"#;
        for text in
            [format!("[{one}]"), format!(r#"{{"0":{one}}}"#), format!(r#"{{"conversation":true,"1":{{}},"0":{one}}}"#)]
        {
            let flow = Flow::parse(text.as_bytes()).unwrap();
            assert!(matches!(&flow.steps[0].question[..], [Block::Show(message)] if message.value == "hi"), "{text}");
            assert!(flow.steps[0].answer.is_none());
        }
    }

    #[test]
    fn everything_wrong_is_told_with_its_place() {
        for (text, told) in [
            ("", "the flow: must be an array"),
            ("{}", "the flow: must be an array"),
            (r#"{"1":{}}"#, "the flow: must be an array"),
            ("[]", "the flow: has no steps"),
            ("[1]", "step 0: must be an object"),
            ("[", "not valid JSON"),
            (r#"[{"question":[],"question":[]}]"#, "stands twice"),
            (r#"[{"question":{}}]"#, "step 0: question: must be an array of blocks"),
            (r#"[{"answer":[7]}]"#, "step 0: answer 0: must be an object"),
            (r#"[{"finish":[{}]}]"#, "step 0: finish 0: `handler` must be a text"),
            (r#"[{"question":[{"handler":"show"}]}]"#, "step 0: question 0 (show): params: must be an object"),
            (r#"[{"question":[{"handler":"find","params":{}}]}]"#, "question 0: the handler `find` is not played here"),
            (r#"[{"question":[{"handler":"show","params":{"type":"gif"}}]}]"#, "the type `gif` is not shown"),
            (
                r#"[{"question":[{"handler":"show","params":{"type":"text","value":"x","buttons":1}}]}]"#,
                "`buttons` must be an array",
            ),
            (r#"[{"question":[{"handler":"goto","params":{"type":"x"}}]}]"#, "the type `x` is none of"),
            (r#"[{"question":[{"handler":"goto","params":{"type":"question"}}]}]"#, "`step` must be a text"),
            (r#"[{"question":[{"handler":"goto","params":{"type":"question","step":-1}}]}]"#, "`-1` is no number"),
            (
                r#"[{"question":[{"handler":"goto","params":{"type":"question","step":1}}]}]"#,
                "question 0 (goto): there is no step 1; the last one is 0",
            ),
            (r#"[{"question":[{"handler":"goto","params":{"type":"answer","step":0}}]}]"#, "step 0 has no `answer`"),
            (r#"[{"question":[{"handler":"exits","params":{}}]}]"#, "(exits): `value` must be a text"),
            (r#"[{"question":[{"handler":"widget_request","params":{}}]}]"#, "`url` must be a text"),
            (r#"[{"question":[{"handler":"conditions","params":{"logic":"xor"}}]}]"#, "neither and nor or"),
            (r#"[{"question":[{"handler":"conditions","params":{}}]}]"#, "`conditions` must be an array"),
            (r#"[{"question":[{"handler":"conditions","params":{"conditions":[]}}]}]"#, "`result` is missing"),
            (
                r#"[{"question":[{"handler":"conditions","params":{"conditions":[{"operation":"~"}],"result":[]}}]}]"#,
                "condition 0: the operation `~` is none of",
            ),
        ] {
            let errors = errors(text);
            assert!(errors.contains(told), "{text}: {errors}");
        }
        let two = errors(r#"[{"question":[{"handler":"find","params":{}},{"handler":"stop","params":{}}]}]"#);
        assert_eq!(two.lines().count(), 2, "{two}");
    }
}
