package sparksql

import (
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/fault"
)

// What becomes of statements: each table has a name that was made up, and keeps its own as an alias.
func TestStatementsAreRead(t *testing.T) {
	for _, c := range []struct{ sql, want, tables string }{
		{"SELECT 1", "SELECT 1", ""},
		{"select a.b, `x``y` from people;", "select a.b, `x``y` from  R_1 AS `people`", "people"},
		{"SELECT * FROM `people@1.0.0` p JOIN people q USING (id)",
			"SELECT * FROM  R_1 p JOIN  R_2 q USING (id)", "people@1.0.0,people"},
		{"SELECT * FROM`people`-- why\nWHERE a = 'x;' /* and /* so */ on */ AND b > 1",
			"SELECT * FROM R_1 AS `people` WHERE a = 'x;' AND b > 1", "people"},
		{"SELECT * FROM datasets.people, people AS p (a, b)", "SELECT * FROM  R_1 AS `people` ,  R_1 AS p (a, b)", "people"},
		{"SELECT count(*) FROM people VERSION AS OF '1.0.0' WHERE x IN (SELECT y FROM places FOR TIMESTAMP AS OF '2026-01-31 10:00:00' t)",
			"SELECT count(*) FROM  R_1 AS `people`  WHERE x IN (SELECT y FROM  R_2 t)", "people@1.0.0,places@2026-01-31T10:00:00"},
		{"WITH a AS (SELECT * FROM a), b (n) AS (SELECT 1 FROM a) SELECT a.x FROM a, b, c",
			"WITH  R_1 AS (SELECT * FROM  R_2 AS `a` ),  R_3 (n) AS (SELECT 1 FROM  R_1 AS `a` ) SELECT a.x FROM  R_1 AS `a` ,  R_3 AS `b` ,  R_4 AS `c`",
			"a,c"},
		{"SELECT (WITH a AS (SELECT 1) SELECT * FROM a) FROM a", "SELECT (WITH  R_1 AS (SELECT 1) SELECT * FROM  R_1 AS `a` ) FROM  R_2 AS `a`", "a"},
		{"SELECT x, y FROM t LATERAL VIEW explode(l) v AS x, y WHERE left(x, 1) = 'a' GROUP BY x, y HAVING count(*) > 1 ORDER BY 1, 2 LIMIT 3",
			"SELECT x, y FROM  R_1 AS `t`  LATERAL VIEW explode(l) v AS x, y WHERE left(x, 1) = 'a' GROUP BY x, y HAVING count(*) > 1 ORDER BY 1, 2 LIMIT 3", "t"},
		{"(SELECT 1 FROM a TABLESAMPLE (10 PERCENT)) UNION ALL (SELECT * FROM (b CROSS JOIN c) x) EXCEPT SELECT * EXCEPT (u) FROM VERSION",
			"(SELECT 1 FROM  R_1 TABLESAMPLE (10 PERCENT) AS `a` ) UNION ALL (SELECT * FROM ( R_2 AS `b`  CROSS JOIN  R_3 AS `c` ) x) EXCEPT SELECT * EXCEPT (u) FROM  R_4 AS `VERSION`",
			"a,b,c,VERSION"},
		{"SELECT sum(x) FILTER (WHERE y > 1) OVER (PARTITION BY a, b ORDER BY c ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), " +
			"CAST(z AS DECIMAL(10, 2)), a.from, transform(l, e -> e + 1)[0] FROM t, LATERAL explode(l)",
			"SELECT sum(x) FILTER (WHERE y > 1) OVER (PARTITION BY a, b ORDER BY c ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), " +
				"CAST(z AS DECIMAL(10, 2)), a.from, transform(l, e -> e + 1)[0] FROM  R_1 AS `t` , LATERAL explode(l)", "t"},
		{"SELECT * FROM (VALUES (1, 'a'), (2, 'it''s')) v(id, s) WHERE s LIKE '\\\\%' OR s = :name", "SELECT * FROM (VALUES (1, 'a'), (2, 'it''s')) v(id, s) WHERE s LIKE '\\\\%' OR s = :name", ""},
	} {
		got, err := Read(c.sql, "R")
		if err != nil {
			t.Errorf("%s\n%v", c.sql, err)
			continue
		}
		var names []string
		for _, table := range got.Tables {
			names = append(names, table.Name)
		}
		if squeezed(got.SQL) != squeezed(c.want) || strings.Join(names, ",") != c.tables {
			t.Errorf("%s\nis\n%s\nof %v, and not\n%s", c.sql, got.SQL, names, c.want)
		}
	}
}

func squeezed(s string) string { return strings.Join(strings.Fields(s), " ") }

// What reads something else than the tables that it names, or does something else than read.
var attempts = []string{
	"", ";", "SELECT", "SELECT 1; SELECT 2", "SELECT 1;;", "DROP TABLE people", "SET spark.x = 1", "USE db", "SHOW TABLES",
	"CREATE VIEW v AS SELECT 1", "INSERT INTO people SELECT 1", "CACHE TABLE people", "DESCRIBE people", "EXPLAIN SELECT 1",
	"EXECUTE IMMEDIATE 'SELECT 1'", "BEGIN SELECT 1; END", "TABLE secret", "FROM secret SELECT *", "FROM people select (a, b), secret SELECT *",
	"SELECT * FROM parquet.`/etc/passwd`", "SELECT * FROM text.`/etc/passwd`", "SELECT * FROM db.secret", "SELECT * FROM spark_catalog.default.secret",
	"SELECT * FROM people WHERE id IN (TABLE secret)", "SELECT explode(TABLE secret)", "SELECT * FROM explode(TABLE (secret))",
	"SELECT * FROM IDENTIFIER('db.secret')", "SELECT * FROM identifier ('secret')", "SELECT IDENTIFIER('reflect')('java.lang.System', 'exit', 1)",
	"SELECT reflect('java.lang.System', 'getenv', 'HOME')", "SELECT `reflect`('java.lang.System', 'getenv')", "SELECT java_method('a', 'b')",
	"SELECT system.builtin.reflect('a', 'b')", "SELECT \"reflect\"('a', 'b')", "SELECT 'reflect'('a')", "SELECT input_file_name() FROM people",
	"SELECT TRANSFORM(a) USING 'cat' AS b FROM people", "SELECT MAP a USING 'cat' FROM people", "SELECT xpath('<a/>', 'a')",
	"SELECT * FROM people where, secret", "SELECT * FROM people where (a, b), secret", "SELECT * FROM people having (a), secret",
	"SELECT * FROM people limit, secret", "SELECT * FROM people limit (a), secret", "SELECT * FROM people minus, secret",
	"SELECT * FROM people minus (a, b), secret", "SELECT * FROM people union, secret", "SELECT * FROM people window, secret",
	"SELECT * FROM people window (a), secret", "SELECT * FROM people group, secret", "SELECT * FROM people order (a), secret",
	"SELECT * FROM people on (a), secret", "SELECT * FROM people using (a), secret", "SELECT * FROM people qualify (a), secret",
	"SELECT IS DISTINCT FROM secret", "SELECT NOT DISTINCT FROM secret", "SELECT extract(YEAR FROM secret)", "SELECT trim(BOTH FROM secret)",
	"SELECT f(SELECT a FROM secret)", "SELECT * FROM STREAM secret", "SELECT * FROM STREAM(secret)", "SELECT * FROM VALUES (1), secret",
	"SELECT * FROM people |> JOIN secret", "SELECT * FROM people WITH (`split-size` = 5)", "SELECT * FROM read_files('/etc')",
	"SELECT r'\\' FROM people", "SELECT R\"\\\" FROM people", "SELECT '\\' FROM secret --'", "SELECT `a FROM people", "SELECT /* FROM people",
	"SELECT 1 FROM people LATERAL VIEW reflect('a', 'b') v AS c", "SELECT * FROM people PIVOT, secret", "SELECT ${x}", "SELECT 'a' FROM péople",
	"SELECT " + strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100), "SELECT a[", "SELECT a[b", "SELECT (", "WITH a AS (SELECT 1), a AS (SELECT 2) SELECT 1",
	"WITH a AS (DELETE FROM people) SELECT 1", "SELECT * FROM people VERSION AS OF (SELECT 1)", "SELECT * FROM `people@1` VERSION AS OF 2",
	"SELECT _file FROM people", "SELECT people.`_POS` FROM people", "SELECT _metadata.file_path FROM people WHERE 1 = 1",
	"SELECT FROM people", "SELECT a, FROM people", "SELECT , FROM people", "SELECT 1 EXCEPT FROM people", "SELECT 1 UNION", "SELECT * FROM people,",
}

func TestAttemptsAreRefused(t *testing.T) {
	for _, sql := range attempts {
		got, err := Read(sql, "R")
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s\nis read as\n%s\nof %v (%v)", sql, got.SQL, got.Tables, err)
		}
	}
}

// Quotes are for names in DuckDB, and for texts in Spark SQL: who confuses them is told so.
func TestANameInQuotesIsRefusedWithTheRemedy(t *testing.T) {
	_, err := Read("SELECT * FROM \"people@2\"", "R")
	if err == nil || !strings.Contains(err.Error(), "Write names in backticks: `people@2`") {
		t.Error(err)
	}
}

// What these name is not there for the engine, however they are meant: the name is always made up.
func TestEveryTableIsRenamed(t *testing.T) {
	for _, sql := range []string{
		"SELECT 1.FROM secret", "SELECT 1e5.FROM secret", "SELECT a.1.FROM secret", "SELECT a FROM(secret)", "SELECT 1 FROM((secret))",
		"SELECT (SELECT 1 FROM secret)", "SELECT * FROM people a NATURAL JOIN secret", "SELECT * FROM people, LATERAL (SELECT * FROM secret)",
		"SELECT 1 FROM people WHERE EXISTS(SELECT * FROM people, secret)", "SELECT array(1, (SELECT max(a) FROM secret))[0]",
		"WITH a AS (SELECT * FROM secret) SELECT * FROM a", "SELECT (WITH secret AS (SELECT 1) SELECT 1) FROM secret", "SELECT 1 FROM/**/secret",
		"SELECT 1 FROM people LEFT ANTI JOIN secret ON a IN (SELECT b FROM secret), secret", "SELECT '''' FROM secret",
		"SELECT 1 FROM people -- \\\n, secret",
	} {
		got, err := Read(sql, "R")
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		without := strings.NewReplacer("AS `secret`", "", "AS `people`", "", "WITH R_", "").Replace(got.SQL)
		if strings.Contains(without, "secret") {
			t.Errorf("%s\nis\n%s", sql, got.SQL)
		}
	}
}

// Whatever is written, nothing but a refusal comes of it, and what was read is read again.
func FuzzRead(f *testing.F) {
	for _, sql := range attempts {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		got, err := Read(sql, "R")
		if err != nil {
			return
		}
		again, err := Read(got.SQL, "S")
		if err != nil || len(again.Tables) > len(strings.Split(got.SQL, "R_"))-1 {
			t.Errorf("%q\nis\n%q\nwhich is %v (%v)", sql, got.SQL, again.Tables, err)
		}
	})
}
