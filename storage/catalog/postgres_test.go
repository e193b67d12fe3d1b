package catalog

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rowback/rowback/storage/catalog/postgrestest"
)

// conformance are the tests that a catalog passes in either database. Each opens its catalog with open.
var conformance = map[string]func(*testing.T){
	"TestLiveFiles":                         TestLiveFiles,
	"TestRowsRoundTrip":                     TestRowsRoundTrip,
	"TestCommitsAreSelected":                TestCommitsAreSelected,
	"TestInherit":                           TestInherit,
	"TestAHeadMovesByCompareAndSwap":        TestAHeadMovesByCompareAndSwap,
	"TestNamesAreUnique":                    TestNamesAreUnique,
	"TestTryUndoesOnlyItsOwnPart":           TestTryUndoesOnlyItsOwnPart,
	"TestAFailureAtTheEndOfATransaction":    TestAFailureAtTheEndOfATransaction,
	"TestReceipts":                          TestReceipts,
	"TestUnfinishedJobsFail":                TestUnfinishedJobsFail,
	"TestSequences":                         TestSequences,
	"TestDocumentsAreStoredOnce":            TestDocumentsAreStoredOnce,
	"TestRandomHistoriesOfFiles":            TestRandomHistoriesOfFiles,
	"TestForksOfRandomHistories":            TestForksOfRandomHistories,
	"TestEntries":                           TestEntries,
	"TestPagesOfTheLog":                     TestPagesOfTheLog,
	"TestARollbackCanItselfBeUndone":        TestARollbackCanItselfBeUndone,
	"TestTheFounderOfADataset":              TestTheFounderOfADataset,
	"TestCommitsOfOneMoment":                TestCommitsOfOneMoment,
	"TestForksReadAsCopies":                 TestForksReadAsCopies,
	"TestAForkWithinAMerge":                 TestAForkWithinAMerge,
	"TestAForkGoesOnFromInheritedDigests":   TestAForkGoesOnFromInheritedDigests,
	"TestEarlierCommitsOfLongLists":         TestEarlierCommitsOfLongLists,
	"TestCommitsKeepEveryField":             TestCommitsKeepEveryField,
	"TestFilesKeepEveryField":               TestFilesKeepEveryField,
	"TestTimesAreMicrosecondsInUTC":         TestTimesAreMicrosecondsInUTC,
	"TestVersions":                          TestVersions,
	"TestSavepoints":                        TestSavepoints,
	"TestTags":                              TestTags,
	"TestBackups":                           TestBackups,
	"TestJobs":                              TestJobs,
	"TestFamilies":                          TestFamilies,
	"TestNamesAreFreed":                     TestNamesAreFreed,
	"TestPagesOfDatasets":                   TestPagesOfDatasets,
	"TestMetadataKeepsItsDigits":            TestMetadataKeepsItsDigits,
	"TestAFailedTransactionLeavesNothing":   TestAFailedTransactionLeavesNothing,
	"TestAReaderSeesOneState":               TestAReaderSeesOneState,
	"TestACancelledTransactionIsRolledBack": TestACancelledTransactionIsRolledBack,
	"TestReferencesAreChecked":              TestReferencesAreChecked,
	"TestNothingIsFound":                    TestNothingIsFound,
	"TestDrawingAtOnce":                     TestDrawingAtOnce,
	"TestRecordedSequences":                 TestRecordedSequences,
	"TestLocksExclude":                      TestLocksExclude,
	"TestALockIsTried":                      TestALockIsTried,
	"TestChangesAreNumbered":                TestChangesAreNumbered,
	"TestWhatWasMadeFromSomethingIsFound":   TestWhatWasMadeFromSomethingIsFound,
}

// embeddedOnly are the tests that say nothing of PostgreSQL, and why.
var embeddedOnly = map[string]string{
	"TestAForkWritesNoHistory":             "counts changes with SQLite",
	"TestLocksAreFirstInFirstOut":          "asks no database",
	"TestALockIsHandedOn":                  "asks no database",
	"TestDamage":                           "of a file",
	"TestCopy":                             "of a file",
	"TestAFileThatIsNoDatabaseIsDamaged":   "of a file",
	"TestANewerCatalogIsRefused":           "of a file",
	"TestQueriesReadNoWholeTable":          "of SQLite's plans",
	"TestFarBackReadsFewRows":              "of SQLite's driver",
	"TestWhichErrorsAreOfACutConnection":   "asks no database",
	"TestErrorsOfOthersAreNotTheDatabases": "asks no database",
	"TestWhichErrorsAreCertain":            "asks no database",
	"TestHowManyConnectionsRead":           "asks no database",
	"TestErrorsOfTheDisk":                  "asks no database",
	"TestTheCatalogIsPrivate":              "of a file",
	"TestACatalogIsOpenedAgain":            "of a file",
	"TestDamageBySQLite":                   "of a file",
	"TestACopyReplacesNothing":             "of a file",
	"TestEveryVersionIsUpgraded":           "of a file",
}

// server is the one that the tests share, and databases counts theirs.
var (
	server    atomic.Pointer[postgrestest.Server]
	databases atomic.Int64
)

func onPostgres(t *testing.T) bool { return strings.HasPrefix(t.Name(), "TestOnPostgreSQL/") }

// newDatabase returns the URL of a new database, with the tables of a catalog.
func newDatabase(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("d%d", databases.Add(1))
	execute(t, server.Load().URL("postgres", ""), `CREATE DATABASE `+name+` TEMPLATE migrated`)
	return server.Load().URL(name, "")
}

// execute runs SQL on a connection of its own.
func execute(t *testing.T, url, query string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func openURL(t *testing.T, url string) *fixture {
	t.Helper()
	c, err := OpenPostgres(t.Context(), url, PostgresOptions{Server: "one", Hook: noHook})
	return opened(t, c, err)
}

// What the catalog does in SQLite it does in PostgreSQL.
func TestOnPostgreSQL(t *testing.T) {
	server.Store(postgrestest.Start(t))
	execute(t, server.Load().URL("postgres", ""), `CREATE DATABASE migrated`)
	c, err := OpenPostgres(t.Context(), server.Load().URL("migrated", ""), PostgresOptions{Hook: noHook})
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	for name, test := range conformance {
		t.Run(name, test)
	}
	for name, test := range postgresOnly {
		t.Run(name, test)
	}
}

// No test is left out but for a reason.
func TestEveryTestIsOfBothDatabasesOrSaysWhyNot(t *testing.T) {
	paths, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			name := f.Name.Name
			if conformance[name] == nil && embeddedOnly[name] == "" && name != "TestOnPostgreSQL" && name != t.Name() {
				t.Errorf("%s is in neither list", name)
			}
		}
	}
	if os.Getenv(postgrestest.Demanded) != "" && len(conformance) < 30 {
		t.Errorf("only %d tests run on both", len(conformance))
	}
}
