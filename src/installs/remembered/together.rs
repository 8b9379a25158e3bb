//! Questions of several requests, put to the database together.
//!
//! Whoever asks while nobody is being answered is answered at once, together with those whose requests this thread takes in meanwhile. Those
//! who ask later wait for that, and are then asked for by one statement. So a lone request waits for nobody, and many at once share what a
//! way to the database and back costs. A statement that takes long, because it waits for a lock, is waited for by nobody else. An answer is
//! always from after its question: nothing is remembered.
//!
//! The connection is kept for a moment after the last question: one that is given back is asked first whether it still lives. When a
//! statement has ended and there is no other connection for who else needs one, it is given back, though that costs more: somebody may wait for
//! it. So they wait for a statement and that moment at most. And it is given back after a while in any case, for only then does the pool look
//! whether it is too old.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::database::Failure;

/// Questions that are put together at most.
const MOST: usize = 64;
/// A statement that takes longer is not waited for by others: the next [`MOST`] are put beside it.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long a connection is kept for the next question.
const KEPT: Duration = Duration::from_millis(5);
/// How long it is kept, however many questions there are.
const KEPT_AT_MOST: Duration = Duration::from_secs(1);

/// Gathers questions `Q` that are answered by an `A` each.
#[derive(Debug)]
pub(super) struct Together<Q, A>(Arc<All<Q, A>>);

#[derive(Debug)]
struct All<Q, A> {
    waiting: Mutex<Waiting<Q, A>>,
    /// Told of a question, when who puts them waits for one.
    asked: Notify,
}

#[derive(Debug)]
struct Waiting<Q, A> {
    questions: Vec<(Q, oneshot::Sender<A>)>,
    putting: Putting,
}

/// Whether somebody puts questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Putting {
    Nobody,
    /// Somebody waits for one, and has a connection.
    Waits,
    /// Somebody puts them, statement by statement.
    UnderWay,
}

impl<Q, A> Default for Together<Q, A> {
    fn default() -> Self {
        let waiting = Mutex::new(Waiting { questions: Vec::new(), putting: Putting::Nobody });
        Self(Arc::new(All { waiting, asked: Notify::new() }))
    }
}

impl<Q: Copy + Send + 'static, A: Send + 'static> Together<Q, A> {
    /// Asks `put` for the answer to a question, perhaps together with others'; it answers each in its place. It is given the connection of the
    /// statement before, if there is one, and gives its own back, if it may be kept. `None` when it could not answer: then it is worth asking
    /// alone, since what is wrong may be another's question.
    pub(super) async fn ask<F, C: Send + 'static>(
        &self,
        question: Q,
        put: impl Fn(Option<C>, Vec<Q>) -> F + Clone + Send + Sync + 'static,
    ) -> Option<A>
    where
        F: Future<Output = Result<(Option<C>, Vec<A>), Failure>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let putting = {
            let mut waiting = self.0.lock();
            waiting.questions.push((question, answer));
            std::mem::replace(&mut waiting.putting, Putting::UnderWay)
        };
        match putting {
            Putting::Nobody => begin(&self.0, put),
            Putting::Waits => self.0.asked.notify_one(),
            Putting::UnderWay => {}
        }
        answered.await.ok()
    }
}

/// Puts them, as was said before. Not by the handler: its client may go away, and the others would wait for ever.
fn begin<Q: Copy + Send + 'static, A: Send + 'static, F, C: Send + 'static>(
    all: &Arc<All<Q, A>>,
    put: impl Fn(Option<C>, Vec<Q>) -> F + Clone + Send + Sync + 'static,
) where
    F: Future<Output = Result<(Option<C>, Vec<A>), Failure>> + Send + 'static,
{
    tokio::spawn(answer_all(Statements { all: all.clone(), is_over: false }, put));
}

impl<Q, A> All<Q, A> {
    fn lock(&self) -> MutexGuard<'_, Waiting<Q, A>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Statements that are put one after the other, until there are no questions any more.
struct Statements<Q, A> {
    all: Arc<All<Q, A>>,
    /// Whether others are waited for no more.
    is_over: bool,
}

impl<Q, A> Statements<Q, A> {
    /// The next questions. When there are none, one that has a connection waits for a moment. It is over when none comes, or others put them.
    async fn next(&mut self, mut has_connection: bool) -> Option<(Vec<Q>, Vec<oneshot::Sender<A>>)> {
        while !self.is_over {
            self.gather().await;
            if let Some(questions) = self.next_now(has_connection) {
                return Some(questions);
            }
            if self.is_over {
                break;
            }
            has_connection = tokio::time::timeout(KEPT, self.all.asked.notified()).await.is_ok();
        }
        None
    }

    /// Lets more come, for as long as this thread has others who ask at once: it answers them first in any case.
    async fn gather(&self) {
        let mut before = 0;
        loop {
            let waiting = self.all.lock().questions.len();
            if waiting == before || waiting >= MOST {
                return;
            }
            before = waiting;
            tokio::task::yield_now().await;
        }
    }

    fn next_now(&mut self, may_wait: bool) -> Option<(Vec<Q>, Vec<oneshot::Sender<A>>)> {
        let mut waiting = self.all.lock();
        // Who has gone away wants no answer.
        waiting.questions.retain(|(_, answer)| !answer.is_closed());
        let count = waiting.questions.len().min(MOST);
        if count == 0 {
            // In the same breath: who comes next sees that it must be told, or that nobody will look any more.
            waiting.putting = if may_wait { Putting::Waits } else { Putting::Nobody };
            self.is_over = !may_wait;
            return None;
        }
        Some(waiting.questions.drain(..count).unzip())
    }

    /// What is under way takes long: another one puts what waits and what comes.
    fn hand_over<F, C: Send + 'static>(&mut self, put: impl Fn(Option<C>, Vec<Q>) -> F + Clone + Send + Sync + 'static)
    where
        Q: Copy + Send + 'static,
        A: Send + 'static,
        F: Future<Output = Result<(Option<C>, Vec<A>), Failure>> + Send + 'static,
    {
        self.is_over = true;
        // When there is nothing to put, it ends at once.
        begin(&self.all, put);
    }
}

impl<Q, A> Drop for Statements<Q, A> {
    fn drop(&mut self) {
        if !self.is_over {
            // Its thread is being stopped. Those who wait ask alone.
            let mut waiting = self.all.lock();
            waiting.putting = Putting::Nobody;
            waiting.questions.clear();
        }
    }
}

async fn answer_all<Q: Copy + Send + 'static, A: Send + 'static, C: Send + 'static, F>(
    mut statements: Statements<Q, A>,
    put: impl Fn(Option<C>, Vec<Q>) -> F + Clone + Send + Sync + 'static,
) where
    F: Future<Output = Result<(Option<C>, Vec<A>), Failure>> + Send + 'static,
{
    let (mut connection, mut taken) = (None, Instant::now());
    while let Some((questions, waiting)) = statements.next(connection.is_some()).await {
        if connection.is_none() {
            taken = Instant::now();
        }
        let mut answers = pin!(put(connection.take(), questions));
        let in_time = tokio::time::timeout(PATIENCE, answers.as_mut()).await;
        let answers = if let Ok(answers) = in_time {
            answers
        } else {
            statements.hand_over(put.clone());
            answers.await
        };
        match answers {
            Ok((used, answers)) => {
                connection = used.filter(|_| taken.elapsed() < KEPT_AT_MOST);
                for (answer, waiting) in answers.into_iter().zip(waiting) {
                    // Who has gone away wants no answer.
                    let _ = waiting.send(answer);
                }
            }
            Err(error) => tracing::debug!(%error, "several questions could not be answered together"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    thread_local! {
        static PUT: RefCell<Vec<Vec<u32>>> = const { RefCell::new(Vec::new()) };
        /// Whether each was put on the connection of the one before.
        static KEPT_ONE: RefCell<Vec<bool>> = const { RefCell::new(Vec::new()) };
    }

    type Answered = std::pin::Pin<Box<dyn Future<Output = Result<(Option<()>, Vec<u32>), Failure>> + Send>>;

    /// Answers with the double, when it is let.
    fn doubled(gate: Arc<Semaphore>) -> impl Fn(Option<()>, Vec<u32>) -> Answered + Clone {
        move |connection, questions| {
            KEPT_ONE.with_borrow_mut(|kept| kept.push(connection.is_some()));
            PUT.with_borrow_mut(|put| put.push(questions.clone()));
            let gate = gate.clone();
            Box::pin(async move {
                gate.acquire().await.unwrap().forget();
                if questions.contains(&13) {
                    return Err(Failure::Corrupt { table: "t", row: "13".to_owned(), why: "it is 13".to_owned() });
                }
                Ok((Some(()), questions.into_iter().map(|question| question * 2).collect()))
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_asked_for_with_the_others() {
        let (together, gate) = (Together::default(), Arc::new(Semaphore::new(0)));
        let ask = async |question| together.ask(question, doubled(gate.clone())).await;
        let answers = join_all((100..200).map(ask));
        let (answers, ()) = tokio::join!(answers, async { gate.add_permits(100) });
        assert_eq!(answers, (100..200).map(|question| Some(question * 2)).collect::<Vec<_>>());
        let sizes: Vec<usize> = PUT.with_borrow(|put| put.iter().map(Vec::len).collect());
        assert_eq!(sizes.iter().sum::<usize>(), 100);
        assert_eq!(sizes, [MOST, 100 - MOST]);
        // And a lone one alone, at once.
        gate.add_permits(1);
        assert_eq!(ask(7).await, Some(14));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_for_a_slow_statement_are_asked_for_beside_it() {
        let (together, gate) = (Together::default(), Arc::new(Semaphore::new(0)));
        let ask = async |question| together.ask(question, doubled(gate.clone())).await;
        let later = async {
            // The first is put at once.
            while PUT.with_borrow(Vec::is_empty) {
                tokio::task::yield_now().await;
            }
            let answers = join_all([ask(2), ask(3)]);
            let both = async {
                while PUT.with_borrow(|put| put.len() < 2) {
                    tokio::time::sleep(PATIENCE).await;
                }
                gate.add_permits(2);
            };
            tokio::join!(answers, both).0
        };
        assert_eq!(tokio::join!(ask(1), later), (Some(2), vec![Some(4), Some(6)]));
        assert_eq!(PUT.with_borrow(Clone::clone), [vec![1], vec![2, 3]]);
        gate.add_permits(1);
        assert_eq!(ask(4).await, Some(8));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_kept_for_a_moment() {
        let (together, gate) = (Together::default(), Arc::new(Semaphore::new(10_000)));
        let ask = async |question| together.ask(question, doubled(gate.clone())).await;
        for pause in [Duration::ZERO, KEPT / 2, KEPT * 2, KEPT / 2] {
            tokio::time::sleep(pause).await;
            assert_eq!(ask(2).await, Some(4));
        }
        assert_eq!(KEPT_ONE.with_borrow(Clone::clone), [false, true, false, true]);
        // Who fails has lost it, and who has none does not wait for others.
        assert_eq!(ask(13).await, None);
        assert_eq!(ask(3).await, Some(6));
        assert_eq!(KEPT_ONE.with_borrow(|kept| kept.last().copied()), Some(false));
        // However many questions there are, it is given back at last.
        KEPT_ONE.with_borrow_mut(Vec::clear);
        let begun = Instant::now();
        while begun.elapsed() < KEPT_AT_MOST * 2 {
            tokio::time::sleep(KEPT / 2).await;
            assert_eq!(ask(2).await, Some(4));
        }
        let anew = KEPT_ONE.with_borrow(|kept| kept.iter().filter(|kept| !**kept).count());
        assert!((1..4).contains(&anew), "{anew}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_connection_waits_for_nobody() {
        let together = Together::default();
        // It must not be kept.
        let put = |_: Option<()>, questions: Vec<u32>| async move { Ok((None, questions)) };
        assert_eq!(together.ask(7, put).await, Some(7));
        tokio::task::yield_now().await;
        assert_eq!(together.0.lock().putting, Putting::Nobody);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_in_the_same_turn_is_asked_for_with_the_first() {
        let (together, gate) = (Together::default(), Arc::new(Semaphore::new(100)));
        let ask = async |question| together.ask(question, doubled(gate.clone())).await;
        let later = async {
            tokio::task::yield_now().await;
            ask(2).await
        };
        assert_eq!(tokio::join!(ask(1), later), (Some(2), Some(4)));
        assert_eq!(PUT.with_borrow(Clone::clone), [vec![1, 2]]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_before_the_connection_is_used_for_them_keeps_nobody_waiting() {
        let (together, gate) = (Together::default(), Arc::new(Semaphore::new(100)));
        let ask = async |question| together.ask(question, doubled(gate.clone())).await;
        assert_eq!(ask(1).await, Some(2));
        tokio::task::yield_now().await;
        assert_eq!(together.0.lock().putting, Putting::Waits);
        tokio::select! {
            biased;
            _ = ask(2) => unreachable!("nothing is answered yet"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(ask(3).await, Some(6));
        assert_eq!(PUT.with_borrow(Clone::clone), [vec![1], vec![3]]);
        tokio::time::sleep(KEPT * 2).await;
        assert_eq!(together.0.lock().putting, Putting::Nobody);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_keeps_nobody_waiting_and_what_fails_is_told() {
        let (together, gate) = (Together::default(), Arc::new(Semaphore::new(0)));
        let ask = async |question| together.ask(question, doubled(gate.clone())).await;
        // What was put first is not answered yet when they leave.
        let leave = async {
            let put = async || {
                while PUT.with_borrow(Vec::is_empty) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                _ = join_all([ask(1), ask(2), ask(3)]) => unreachable!("nothing is answered yet"),
                () = put() => {}
            }
        };
        leave.await;
        let stay = join_all([ask(4), ask(5)]);
        let (answers, ()) = tokio::join!(stay, async { gate.add_permits(4) });
        assert_eq!(answers, [Some(8), Some(10)]);
        gate.add_permits(1);
        assert_eq!(ask(13).await, None);
        gate.add_permits(1);
        assert_eq!(ask(6).await, Some(12));
    }
}
