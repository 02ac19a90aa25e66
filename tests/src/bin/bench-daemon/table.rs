//! The measurements, and whether they are within their limits.

use std::fmt;

/// All measurements.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

/// A line of the table: one measurement.
#[derive(Default)]
pub(crate) struct Row {
    what: String,
    /// The value of our daemon, that of knockd 0.8, the ratio and the limit, as they are printed.
    cells: [String; 4],
    /// `None` if there is no limit.
    is_met: Option<bool>,
}

impl Table {
    /// Adds a heading.
    pub(crate) fn head(&mut self, what: &str) {
        self.rows.push(Row { what: what.to_owned(), ..Row::default() });
    }

    /// Adds a line for a measurement.
    pub(crate) fn row(&mut self, what: &str) -> &mut Row {
        self.rows.push(Row { what: format!("  {what}"), ..Row::default() });
        self.rows.last_mut().expect("one was added")
    }

    /// Returns whether no limit was missed.
    pub(crate) fn all_met(&self) -> bool {
        self.rows.iter().all(|row| row.is_met != Some(false))
    }
}

impl Row {
    /// Sets the value of our daemon.
    pub(crate) fn ours(&mut self, value: &dyn fmt::Display) -> &mut Self {
        self.cells[0] = value.to_string();
        self
    }

    /// Sets the value of knockd 0.8.
    pub(crate) fn theirs(&mut self, value: &dyn fmt::Display) -> &mut Self {
        self.cells[1] = value.to_string();
        self
    }

    /// Sets the values of both and their ratio, which is returned.
    pub(crate) fn ratio(&mut self, ours: Millis, theirs: Millis) -> f64 {
        let ratio = ours.0 / theirs.0;
        // There is no ratio to zero.
        self.cells[2] = if ratio.is_finite() { format!("{ratio:.3}") } else { String::new() };
        self.ours(&ours).theirs(&theirs);
        ratio
    }

    /// Sets a limit, and whether it is met.
    pub(crate) fn bar(&mut self, bar: &dyn fmt::Display, is_met: bool) {
        self.cells[3] = bar.to_string();
        self.is_met = Some(is_met);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = ["knock", "0.8", "ratio", "bar"].map(str::to_owned);
        let titles = Row { cells: titles, ..Row::default() };
        let rows = || [&titles].into_iter().chain(&self.rows);
        let width = |cell: &dyn Fn(&Row) -> usize| rows().map(cell).max().unwrap_or(0);
        // A heading may be of any length.
        let what = width(&|row| if row.what.starts_with(' ') { row.what.len() } else { 0 });
        let widths = [0, 1, 2, 3].map(|place: usize| width(&|row| row.cells[place].len()));
        for row in rows() {
            let cells = row.cells.iter().zip(widths);
            let cells: Vec<String> =
                cells.map(|(cell, width)| format!("  {cell:>width$}")).collect();
            let verdict = match row.is_met {
                Some(true) => "  ok",
                Some(false) => "  MISSED",
                None => "",
            };
            let line = format!("{:<what$}{}{verdict}", row.what, cells.concat());
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Millis(pub(crate) f64);

impl fmt::Display for Millis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.2} ms", self.0)
    }
}

/// Returns the value below which this share of the sorted values is.
pub(crate) fn quantile(sorted: &[Millis], share: f64) -> Millis {
    let place = (sorted.len() as f64 * share) as usize;
    sorted[place.min(sorted.len() - 1)]
}
