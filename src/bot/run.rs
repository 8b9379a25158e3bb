//! The machine that runs a flow, from one thing that it needs somebody for to the next.

use std::cmp::Ordering;
use std::collections::VecDeque;

use serde_json::value::RawValue;

use super::facts::Facts;
use super::flow::{self, Block, Condition, Conditions, Flow, Goto, Message, Operation, Part};

/// Blocks that run without anybody being asked: more are a circle.
const MOST_BLOCKS: u32 = 10_000;

/// What a bot needs somebody for.
#[derive(Debug)]
pub enum Action {
    /// Says something to the user.
    Say(Message),
    /// Waits for the user's message, which [`Run::answered`] gives it.
    Listen,
    /// Has a widget's server called and waits for its answer, which [`Run::continued`] gives it.
    Request {
        /// The server.
        url: String,
        /// What it is sent, as JSON.
        data: Option<String>,
    },
    /// Nothing more: the bot has ended.
    End(Ending),
}

/// How a bot ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was left to do.
    Finished,
    /// It left by the exit with this code.
    Exit(String),
    /// It cannot go on.
    Failed(String),
}

/// A running bot.
#[derive(Debug)]
pub struct Run {
    flow: Flow,
    facts: Facts,
    /// What runs next.
    blocks: VecDeque<Block>,
    /// The part that these blocks belong to.
    place: Goto,
    ending: Option<Ending>,
    /// Blocks that have run since somebody was asked.
    unasked: u32,
}

impl Run {
    /// Puts a bot at the beginning of a flow.
    #[must_use]
    pub fn new(flow: Flow, facts: Facts) -> Self {
        let start = Goto { part: Part::Question, step: 0 };
        let mut run = Self { flow, facts, blocks: VecDeque::new(), place: start, ending: None, unasked: 0 };
        run.go(start);
        run
    }

    /// What the bot knows.
    pub fn facts(&mut self) -> &mut Facts {
        &mut self.facts
    }

    /// Runs on to the next thing that the bot needs somebody for. After [`Action::Listen`] and [`Action::Request`] it is called when
    /// the answer was given.
    pub fn advance(&mut self) -> Action {
        while self.unasked < MOST_BLOCKS {
            self.unasked += 1;
            if let Some(ending) = &self.ending {
                return Action::End(ending.clone());
            }
            let action = match self.blocks.pop_front() {
                Some(block) => self.block(block),
                None => self.part_is_over(),
            };
            if let Some(action) = action {
                return action;
            }
        }
        self.fail(format!("the flow goes round in a circle at step {}", self.place.step))
    }

    /// Gives the bot the user's message.
    pub fn answered(&mut self, text: &str) {
        self.unasked = 0;
        self.facts.set("message_text", text);
    }

    /// Gives the bot the widget's answer: data, and blocks that run before the flow goes on.
    pub fn continued(&mut self, data: Option<Box<RawValue>>, execute_handlers: Option<&RawValue>) {
        self.unasked = 0;
        self.facts.set_json(data);
        match execute_handlers.map(flow::blocks).transpose() {
            Ok(blocks) => self.run_first(blocks.unwrap_or_default()),
            Err(why) => self.ending = Some(Ending::Failed(format!("the widget's blocks cannot be run: {why}"))),
        }
    }

    fn run_first(&mut self, blocks: Vec<Block>) {
        for block in blocks.into_iter().rev() {
            self.blocks.push_front(block);
        }
    }

    fn block(&mut self, block: Block) -> Option<Action> {
        match block {
            Block::Show(message) => {
                let value = self.facts.render(&message.value);
                let buttons = message.buttons.iter().map(|button| self.facts.render(button)).collect();
                return Some(Action::Say(Message { look: message.look, value, buttons }));
            }
            Block::Goto(goto) => return self.go(goto),
            Block::Conditions(conditions) => {
                if self.hold(&conditions) {
                    self.run_first(conditions.result);
                }
            }
            Block::Exits(code) => self.ending = Some(Ending::Exit(self.facts.render(&code))),
            Block::WidgetRequest { url, data } => {
                let url = self.facts.render(&url);
                let data = data.map(|data| self.facts.render_json(&data));
                return Some(Action::Request { url, data });
            }
        }
        None
    }

    /// An answer is waited for where there are blocks for it; then the step's finish runs, and with that the bot is at its end.
    fn part_is_over(&mut self) -> Option<Action> {
        let step = self.place.step;
        let has_answer = self.flow.steps.get(step).is_some_and(|step| step.answer.is_some());
        match self.place.part {
            Part::Question if has_answer => self.go(Goto { part: Part::Answer, step }),
            Part::Question | Part::Answer => self.go(Goto { part: Part::Finish, step }),
            Part::Finish => {
                self.ending = Some(Ending::Finished);
                None
            }
        }
    }

    /// Goes to a part; its blocks replace what is left of this one.
    fn go(&mut self, goto: Goto) -> Option<Action> {
        match self.flow.find(goto) {
            Ok(blocks) => self.blocks = blocks.to_vec().into(),
            Err(why) => return Some(self.fail(why)),
        }
        self.place = goto;
        (goto.part == Part::Answer).then_some(Action::Listen)
    }

    fn fail(&mut self, why: String) -> Action {
        let ending = Ending::Failed(why);
        self.ending = Some(ending.clone());
        Action::End(ending)
    }

    fn hold(&mut self, conditions: &Conditions) -> bool {
        let mut holds = conditions.conditions.iter().map(|condition| self.holds(condition));
        if conditions.all { holds.all(|holds| holds) } else { holds.any(|holds| holds) }
    }

    fn holds(&mut self, condition: &Condition) -> bool {
        let (left, right) = (self.facts.render(&condition.term1), self.facts.render(&condition.term2));
        match condition.operation {
            Operation::Equal => left == right,
            Operation::NotEqual => left != right,
            Operation::Greater => order(&left, &right).is_gt(),
            Operation::GreaterOrEqual => order(&left, &right).is_ge(),
            Operation::Less => order(&left, &right).is_lt(),
            Operation::LessOrEqual => order(&left, &right).is_le(),
        }
    }
}

/// Numbers are ordered as numbers, everything else as text.
fn order(left: &str, right: &str) -> Ordering {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left.total_cmp(&right),
        _ => left.cmp(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bot::Look;

    fn run(flow: &str) -> Run {
        let mut facts = Facts::default();
        facts.set("lead.id", "77");
        Run::new(Flow::parse(flow.as_bytes()).unwrap(), facts)
    }

    fn say(text: &str) -> String {
        format!(r#"{{"handler":"show","params":{{"type":"text","value":"{text}"}}}}"#)
    }

    fn goto(part: &str, step: usize) -> String {
        format!(r#"{{"handler":"goto","params":{{"type":"{part}","step":{step}}}}}"#)
    }

    fn when(term1: &str, operation: &str, term2: &str, result: &str) -> String {
        format!(
            r#"{{"handler":"conditions","params":{{"logic":"and","conditions":[{{"term1":"{term1}","term2":"{term2}","operation":"{operation}"}}],"result":[{result}]}}}}"#
        )
    }

    fn exits(code: &str) -> String {
        format!(r#"{{"handler":"exits","params":{{"value":"{code}"}}}}"#)
    }

    const ASK_WIDGET: &str =
        r#"{"handler":"widget_request","params":{"url":"https://w.test/{{lead.id}}","data":{"lead":"{{lead.id}}"}}}"#;

    /// Plays a bot: users and widgets say what they are given in turn. A widget's answer is data and blocks, parted by `|`.
    fn play(flow: &str, users: &[&str], widgets: &[&str]) -> Vec<String> {
        let mut run = run(flow);
        let (mut users, mut widgets) = (users.iter(), widgets.iter());
        let mut told = Vec::new();
        loop {
            match run.advance() {
                Action::Say(message) => told.push(message.value),
                Action::Listen => {
                    let text = users.next().unwrap();
                    told.push(format!("< {text}"));
                    run.answered(text);
                }
                Action::Request { url, data } => {
                    told.push(format!("{url} {}", data.unwrap_or_default()));
                    let (data, blocks) = widgets.next().unwrap().split_once('|').unwrap();
                    let blocks = serde_json::from_str::<Option<Box<RawValue>>>(blocks).unwrap();
                    run.continued(serde_json::from_str(data).unwrap(), blocks.as_deref());
                }
                Action::End(ending) => {
                    told.push(format!("{ending:?}"));
                    assert!(matches!(run.advance(), Action::End(again) if again == ending), "an end stays one");
                    return told;
                }
            }
        }
    }

    #[test]
    fn a_step_is_question_answer_and_finish() {
        let (hello, thanks, bye) = (say("Hello"), say("You said {{message_text}}"), say("Bye"));
        let flow = format!(r#"[{{"question":[{hello}],"answer":[{thanks}],"finish":[{bye}]}}]"#);
        assert_eq!(play(&flow, &["hm"], &[]), ["Hello", "< hm", "You said hm", "Bye", "Finished"]);
        let flow = format!(r#"[{{"question":[{hello}],"finish":[{bye}]}},{{"question":[{thanks}]}}]"#);
        assert_eq!(play(&flow, &[], &[]), ["Hello", "Bye", "Finished"]);
        assert_eq!(play(r#"[{"answer":[]}]"#, &["x"], &[]), ["< x", "Finished"]);
        assert_eq!(play("[{}]", &[], &[]), ["Finished"]);
    }

    #[test]
    fn a_jump_leaves_the_rest_behind() {
        let flow = format!(
            r#"[{{"question":[{},{}],"finish":[{}]}},{{"question":[{}],"answer":[{},{}]}},{{"finish":[{}]}}]"#,
            goto("answer", 1),
            say("never"),
            say("never"),
            say("never"),
            say("got {{message_text}}"),
            goto("finish", 2),
            say("last"),
        );
        assert_eq!(play(&flow, &["it"], &[]), ["< it", "got it", "last", "Finished"]);
    }

    #[test]
    fn buttons_are_rendered_too() {
        let flow = r#"[{"question":[{"handler":"show","params":{"type":"buttons","value":"{{lead.id}}?","buttons":["Yes {{lead.id}}",2]}}]}]"#;
        let expected = Message {
            look: Look::Buttons,
            value: "77?".to_owned(),
            buttons: vec!["Yes 77".to_owned(), "2".to_owned()],
        };
        assert!(matches!(run(flow).advance(), Action::Say(message) if message == expected));
    }

    #[test]
    fn conditions_choose() {
        for (left, operation, right, holds) in [
            ("a", "=", "a", true),
            ("a", "=", "A", false),
            ("a", "=", "b", false),
            ("", "=", "{{json.missing}}", true),
            ("{{lead.id}}", "=", "77", true),
            ("77", "=", "77.0", false),
            ("a", "!=", "b", true),
            ("a", "!=", "a", false),
            ("9", ">", "10", false),
            ("10", ">", "9", true),
            ("10", ">", "10", false),
            ("10", ">=", "10.0", true),
            ("9", "<", "10", true),
            ("-1", "<", "0", true),
            ("1", "<=", "1", true),
            ("2", "<=", "1", false),
            ("b", ">", "a", true),
            ("a", "<", "b", true),
        ] {
            let flow = format!(r#"[{{"question":[{},{}]}}]"#, when(left, operation, right, &exits("yes")), exits("no"));
            let expected = if holds { r#"Exit("yes")"# } else { r#"Exit("no")"# };
            assert_eq!(play(&flow, &[], &[]), [expected], "{left} {operation} {right}");
        }
    }

    #[test]
    fn conditions_are_joined() {
        for (logic, first, second, holds) in
            [("and", "1", "1", true), ("and", "1", "0", false), ("or", "0", "1", true), ("or", "0", "0", false)]
        {
            let condition = |term: &str| format!(r#"{{"term1":{term},"term2":1,"operation":"="}}"#);
            let (first, second, result) = (condition(first), condition(second), say("in"));
            let flow = format!(
                r#"[{{"question":[{{"handler":"conditions","params":{{"logic":"{logic}","conditions":[{first},{second}],"result":[{result}]}}}},{}]}}]"#,
                say("out")
            );
            let expected: &[&str] = if holds { &["in", "out", "Finished"] } else { &["out", "Finished"] };
            assert_eq!(play(&flow, &[], &[]), expected, "{logic}");
        }
    }

    #[test]
    fn a_widget_is_asked_and_its_answer_known_from_then_on() {
        let flow = format!(
            r#"[{{"question":[{ASK_WIDGET},{}]}},{{"question":[{},{}]}}]"#,
            goto("question", 1),
            when("{{json.status}}", "=", "success", &exits("found")),
            exits("missing"),
        );
        let asked = r#"https://w.test/77 {"lead":"77"}"#;
        assert_eq!(play(&flow, &[], &[r#"{"status":"success"}|null"#]), [asked, r#"Exit("found")"#]);
        assert_eq!(play(&flow, &[], &[r#"{"status":"fail"}|[]"#]), [asked, r#"Exit("missing")"#]);
        assert_eq!(play(&flow, &[], &["null|[]"]), [asked, r#"Exit("missing")"#]);
    }

    #[test]
    fn what_the_widget_wants_runs_before_the_flow_goes_on() {
        let flow = format!(r#"[{{"question":[{ASK_WIDGET},{}]}},{{"question":[{}]}}]"#, say("after"), say("jumped"));
        let asked = r#"https://w.test/77 {"lead":"77"}"#;
        let shown = format!(r#"{{"n":5}}|[{},{}]"#, say("one {{json.n}}"), say("two"));
        assert_eq!(play(&flow, &[], &[&shown]), [asked, "one 5", "two", "after", "Finished"]);
        let jump = format!("{{}}|[{},{},{}]", say("one"), goto("question", 1), say("never"));
        assert_eq!(play(&flow, &[], &[&jump]), [asked, "one", "jumped", "Finished"]);
        let nowhere = format!("{{}}|[{}]", goto("question", 9));
        assert_eq!(play(&flow, &[], &[&nowhere]).pop().unwrap(), r#"Failed("there is no step 9; the last one is 1")"#);
        let broken = r#"{}|[{"handler":"stop","params":{}}]"#;
        assert!(play(&flow, &[], &[broken]).pop().unwrap().starts_with("Failed(\"the widget's blocks cannot be run"));
    }

    #[test]
    fn a_circle_ends() {
        let circle = format!(r#"[{{"question":[{}]}}]"#, goto("question", 0));
        let ending = r#"Failed("the flow goes round in a circle at step 0")"#;
        assert_eq!(play(&circle, &[], &[]), [ending]);
        let babble = format!(r#"[{{"question":[{},{}]}}]"#, say("hm"), goto("question", 0));
        assert_eq!(play(&babble, &[], &[]).pop().unwrap(), ending);
        // With somebody in it, it is a conversation.
        let chat = format!(
            r#"[{{"question":[],"answer":[{},{}]}}]"#,
            when("{{message_text}}", "=", "bye", &exits("bye")),
            goto("question", 0)
        );
        let users = [vec!["hm"; 20_000], vec!["bye"]].concat();
        assert_eq!(play(&chat, &users, &[]).len(), 20_002);
    }
}
