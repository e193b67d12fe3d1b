package webhooks

import (
	"testing"

	"github.com/rowback/rowback/server/settings/settingstest"
)

// The queue is in PostgreSQL as it is in a file. The tests that are left out are of what is sent and where.
func TestOnPostgreSQL(t *testing.T) {
	settingstest.OnPostgreSQL(t, map[string]func(*testing.T){
		"TestWhatHappensToADatasetIsQueuedInItsOrder": TestWhatHappensToADatasetIsQueuedInItsOrder,
		"TestWhatHappensToAProposalIsQueued":          TestWhatHappensToAProposalIsQueued,
		"TestCommentsOnAComparisonAreQueued":          TestCommentsOnAComparisonAreQueued,
		"TestWhatIsMadeAfterTheDataWerePutBack":       TestWhatIsMadeAfterTheDataWerePutBack,
		"TestADisabledWebhookMissesWhatHappens":       TestADisabledWebhookMissesWhatHappens,
		"TestTheQueueIsBounded":                       TestTheQueueIsBounded,
		"TestAReceiverMayAskToWaitOrForNoMore":        TestAReceiverMayAskToWaitOrForNoMore,
		"TestWhatIsCutOffIsSentAgain":                 TestWhatIsCutOffIsSentAgain,
		"TestTestsAndRedeliveries":                    TestTestsAndRedeliveries,
		"TestALowDiskIsToldOnceEachTime":              TestALowDiskIsToldOnceEachTime,
		"servers share the queue":                     serversShareTheQueue,
		"servers tell of their own disks":             serversTellOfTheirDisks,
	})
}
