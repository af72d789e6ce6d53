//! The full-text search for names, which follows its column by itself: emptying the column empties it, and with
//! secure-delete nothing stays behind in the pages.

/// The SQL of a search called `$index` in the names of the table `contacts`; `$options` are more settings of its own.
macro_rules! search_of_names {
    ($index:literal, $options:literal) => {
        concat!(
            "
        CREATE VIRTUAL TABLE ", $index, " USING fts5 (
            name, content = 'contacts', content_rowid = 'number', tokenize = 'unicode61 remove_diacritics 2'", $options, "
        );
        INSERT INTO ", $index, " (", $index, ", rank) VALUES ('secure-delete', 1);
        INSERT INTO ", $index, " (", $index, ") VALUES ('rebuild');
        CREATE TRIGGER name_given AFTER INSERT ON contacts BEGIN
            INSERT INTO ", $index, " (rowid, name) VALUES (new.number, new.name);
        END;
        CREATE TRIGGER name_changed AFTER UPDATE OF name ON contacts BEGIN
            INSERT INTO ", $index, " (", $index, ", rowid, name) VALUES ('delete', old.number, old.name);
            INSERT INTO ", $index, " (rowid, name) VALUES (new.number, new.name);
        END;
        CREATE TRIGGER name_gone AFTER DELETE ON contacts BEGIN
            INSERT INTO ", $index, " (", $index, ", rowid, name) VALUES ('delete', old.number, old.name);
        END;"
        )
    };
}

pub(crate) use search_of_names;
