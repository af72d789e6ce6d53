//! `rapport verify`: reads the files themselves, or the cluster itself, and needs neither the server nor the lock of the
//! folder.

use std::{fs, path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use domain::{BadEvent, Stored};
use ledger::{
    bundle::{BUNDLE_LIMIT, Bundle},
    note::Verifier,
    verification::{Report, Verification},
};
use serde::Serialize;
use store::{KeyAudit, LostKey, Place, Side};

use crate::command_line::{
    shared::Shared,
    terminal::{log_bar, say},
    verdict::Verdict,
};

/// Of how many contacts it is said that their keys are gone.
const NAMED: usize = 20;
/// How often the bar moves, in events.
const TOLD_EVERY: u64 = 4_096;

/// Prove that the log is what was recorded, or that a bundle is. Exit status 0 where it is, 1 where it is not, 2 where that
/// cannot be told: nothing is signed yet, or something cannot be read.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// A bundle of `rapport export`; the whole log of the data folder where none is given.
    bundle: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere: on paper, in a mail, by a monitor. It also finds an older copy of
    /// everything, which agrees with itself.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The public key, or a file with it, as GET /ledger/key gave it [default: the one that lies beside].
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  rapport verify                                    the log against every checkpoint that was ever signed
  rapport verify --checkpoint may.txt               and against one that you kept elsewhere
  rapport verify history.bundle --key ledger.key    a bundle, with nothing but the public key";

impl Verify {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let verdict = self.verify(shared).await;
        Ok(verdict.unwrap_or_else(|error| Verdict::of(&error)).exit())
    }

    async fn verify(&self, shared: &Shared) -> anyhow::Result<Verdict> {
        let key = self.key.as_deref().map(read_key).transpose()?;
        match &self.bundle {
            Some(file) if self.checkpoint.is_empty() => self.bundle(file, key),
            Some(_) => bail!("--checkpoint is for the whole log: a bundle brings its own"),
            None => self.log(shared, key).await,
        }
    }

    async fn log(&self, shared: &Shared, key: Option<Verifier>) -> anyhow::Result<Verdict> {
        let mut outside = Vec::new();
        for file in &self.checkpoint {
            let note =
                fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
            // However it was pasted: the ends of lines are those of a note, and the last one is there.
            let note = note.replace("\r\n", "\n").trim().to_owned() + "\n";
            outside.push((file.display().to_string(), note));
        }
        let folder = shared.data.join("ledger");
        if !shared.data.join("format.json").exists() {
            bail!("there is no Rapport in the folder {}: name another with --data", shared.data.display());
        }
        let begun = Instant::now();
        let mut verification = match Verification::begin(&folder, key, &outside) {
            Ok(verification) => verification,
            Err(fault) => {
                return self.tell(
                    &serde_json::json!({ "fault": fault }),
                    || format!("NOT PROVEN: {fault}\n"),
                    Verdict::Altered,
                );
            }
        };
        let side = match shared.place()? {
            Place::Folder => Side::Folder(shared.data.clone()),
            Place::Cluster { cluster, .. } => Side::Cluster(cluster),
        };
        let mut log = store::open_whole_log(&side).await?;
        if !log.numbers_its_positions() {
            verification = verification.with_positions_of_a_cluster();
        }
        let origin = log.log_id().map(|id| format!("rapport/{id}"));
        if origin.as_deref() != Some(verification.origin()) {
            let fault = format!("the log is not the one that the ledger signs, {}", verification.origin());
            let answer = serde_json::json!({ "fault": fault });
            return self.tell(&answer, || format!("NOT PROVEN: {fault}\n"), Verdict::Altered);
        }
        let mut keys = KeysBeside::of(&side);
        if let Some(sizes) = keys.audit.as_ref().and_then(|audit| audit.signed_sizes().ok()) {
            verification = verification.with_signed_sizes(&sizes);
        }
        let bar = log_bar("verifying");
        bar.set_length(log.length().unwrap_or_default());
        let mut count = 0;
        log.each(&mut |event| {
            count += 1;
            if count % TOLD_EVERY == 0 {
                bar.set_position(count);
            }
            keys.take(event);
            verification.event(event)
        })
        .await?;
        bar.finish_and_clear();
        let report = verification.end();
        let seconds = begun.elapsed().as_secs_f64();
        let keys = keys.end(report.fault.is_none());
        // Where nothing is signed nothing is proven, whatever may be the reason.
        let verdict = match report.fault {
            None if keys.are_lost() => Verdict::Altered,
            None if report.covered == 0 && report.events > 0 => Verdict::CannotBeTold,
            None => Verdict::Sound,
            Some(_) => Verdict::Altered,
        };
        let mut answer = serde_json::to_value(&report)?;
        answer["keys"] = serde_json::to_value(&keys)?;
        self.tell(&answer, || in_words(&report, seconds, !outside.is_empty()) + &keys.in_words(), verdict)
    }

    fn bundle(&self, file: &PathBuf, key: Option<Verifier>) -> anyhow::Result<Verdict> {
        let read = || format!("{} cannot be read", file.display());
        if fs::metadata(file).with_context(read)?.len() > BUNDLE_LIMIT {
            bail!("{} is larger than any bundle", file.display());
        }
        // What is no text any more was one when it was written.
        let text = String::from_utf8_lossy(&fs::read(file).with_context(read)?).into_owned();
        let own = key.is_none();
        let proven = Bundle::read(&text).and_then(|bundle| {
            let key = key.map_or_else(|| bundle.own_key(), Ok)?;
            bundle.verify(&key)
        });
        let proven = match proven {
            Ok(proven) => proven,
            Err(error) => {
                let answer = serde_json::json!({ "fault": error.to_string() });
                return self.tell(&answer, || format!("NOT PROVEN: {error}\n"), Verdict::Altered);
            }
        };
        let words = || {
            let mut text = format!(
                "PROVEN: each of the {} events in this bundle is, to the byte and in its place, what stood in the log \
                 {} when it held {} events.\n",
                proven.events, proven.origin, proven.size
            );
            text += &if proven.streams_with_gaps.is_empty() {
                format!(
                    "Each of the {} streams it shows begins at its beginning and has no gap.\n",
                    proven.whole_streams
                )
            } else {
                format!(
                    "Of {} streams only some events are shown: {}.\n",
                    proven.streams_with_gaps.len(),
                    proven.streams_with_gaps.join(", ")
                )
            };
            if !proven.merged.is_empty() {
                let merged: Vec<_> = proven.merged.iter().map(ToString::to_string).collect();
                text += &format!(
                    "By merges that it proves as well, these contacts were the same person as {}: {}.\n",
                    proven.about,
                    merged.join(", ")
                );
            }
            text += &format!("Signed by the key {}\n", proven.key);
            if own {
                text += "That key comes from the bundle itself: compare it with one that you got elsewhere, or give it \
                         with --key.\n";
            }
            text + "NOT PROVEN by a bundle: that there are no further events or streams about the same contact (verify \
                    the whole log for that), that what was recorded was true, and the sentences and readable texts \
                    beside the events: sealed values were opened by Rapport when the bundle was made.\n"
        };
        self.tell(&serde_json::to_value(&proven)?, words, Verdict::Sound)
    }

    fn tell(
        &self,
        answer: &serde_json::Value,
        words: impl FnOnce() -> String,
        verdict: Verdict,
    ) -> anyhow::Result<Verdict> {
        let text = if self.json { format!("{}\n", serde_json::to_string_pretty(answer)?) } else { words() };
        say(&text)?;
        Ok(verdict)
    }
}

/// The keys that lie beside a log in a folder, looked through on the way.
struct KeysBeside {
    audit: Option<KeyAudit>,
    unknown: Option<String>,
}

impl KeysBeside {
    fn of(side: &Side) -> Self {
        let Side::Folder(folder) = side else { return Self { audit: None, unknown: None } };
        match KeyAudit::open(folder) {
            Ok(audit) => Self { audit: Some(audit), unknown: None },
            Err(error) => Self { audit: None, unknown: Some(error.to_string()) },
        }
    }

    fn take(&mut self, event: &Result<Stored<'_>, BadEvent>) {
        if let (Some(audit), Ok(stored)) = (&mut self.audit, event)
            && let Err(error) = audit.event(stored)
        {
            (self.audit, self.unknown) = (None, Some(error.to_string()));
        }
    }

    /// What came of it, where the whole log was read.
    fn end(self, is_whole: bool) -> KeysFound {
        let lost = self.audit.filter(|_| is_whole).map(KeyAudit::end).unwrap_or_default();
        KeysFound { lost, unknown: self.unknown }
    }
}

/// Whose keys are gone although nobody erased them.
#[derive(Serialize)]
struct KeysFound {
    lost: Vec<LostKey>,
    /// Why that cannot be told.
    unknown: Option<String>,
}

impl KeysFound {
    fn are_lost(&self) -> bool {
        !self.lost.is_empty() || self.unknown.is_some()
    }

    fn in_words(&self) -> String {
        let mut text = String::new();
        for LostKey { contact, keys, needed_by } in self.lost.iter().take(NAMED) {
            text += &format!(
                "LOST: {keys} keys of contact/{contact} are gone although no event erased them; the first is needed by the \
                 event at position {needed_by}\n"
            );
        }
        if self.lost.len() > NAMED {
            text += &format!("LOST: keys of {} more contacts; --json names all\n", self.lost.len() - NAMED);
        }
        if let Some(unknown) = &self.unknown {
            text += &format!("LOST: whether the keys are whole cannot be told: {unknown}\n");
        }
        text
    }
}

fn read_key(text: &str) -> anyhow::Result<Verifier> {
    let from_file = fs::read_to_string(text).ok();
    let key = from_file.as_deref().unwrap_or(text).parse();
    key.with_context(|| format!("`{text}` is neither a public key nor a file with one"))
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn in_words(report: &Report, seconds: f64, outside: bool) -> String {
    let rate = report.events as f64 / seconds.max(1e-9);
    let read = format!("{} events read in {seconds:.1} s ({rate:.0} a second)", report.events);
    if let Some(fault) = &report.fault {
        let agreed = report.checkpoints;
        return format!("NOT PROVEN: {fault}.\n{read}; {agreed} checkpoints agreed before that.\n");
    }
    let mut text = match report.covered {
        0 => format!("Nothing is signed yet, so there is nothing to prove.\n{read}.\n"),
        covered => format!(
            "PROVEN: the first {covered} events are what was recorded; {} checkpoints agree.\n{read}.\n",
            report.checkpoints
        ),
    };
    if report.younger > 0 {
        text +=
            &format!("{} events are younger than the last checkpoint and not signed yet.\n", report.younger);
    }
    text += &format!("Signed by the key {}\n", report.key);
    if !outside {
        text += "A whole older copy agrees with itself as well: give a checkpoint that you kept elsewhere with \
                 --checkpoint.\n";
    }
    text
}
