package quartzbio

import (
	"hash/fnv"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
)

// domain is the account's, which begins full paths: a server is one account.
const domain = "rowback"

// accountID is the id of the account.
const accountID = 1

// userView is a user within what they made.
type userView struct {
	ClassName string `json:"class_name"`
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	FullName  string `json:"full_name"`
	ID        int64  `json:"id"`
	IsActive  bool   `json:"is_active"`
	IsStaff   bool   `json:"is_staff"`
	Role      string `json:"role"`
	Title     string `json:"title"`
}

// viewUser returns a user of this name. Users are known by name alone here: it stands for what else the client shows.
func viewUser(name string) userView {
	return userView{
		ClassName: "User", Email: name, FirstName: name, FullName: name, ID: userNumber(name), IsActive: true,
		Role: "member",
	}
}

// userNumber returns the number of a user, which the client makes the name of their personal vault of. It is made of
// their name, so that it stays the same on every server.
func userNumber(name string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash takes everything
	return int64(h.Sum32()>>1) + 1
}

// account is whose server it is.
type account struct {
	ClassName string `json:"class_name"`
	Domain    string `json:"domain"`
	ID        int64  `json:"id"`
	Name      string `json:"name"`
}

// meView is who asks.
type meView struct {
	userView
	Account               account        `json:"account"`
	DateJoined            string         `json:"date_joined"`
	IsVerified            bool           `json:"is_verified"`
	LastName              string         `json:"last_name"`
	PasswordDaysRemaining map[string]any `json:"password_days_remaining"`
	URL                   string         `json:"url"`
	Username              string         `json:"username"`
}

// getUser shows who asks.
func (f *Face) getUser(c *fiber.Ctx) error {
	name := host.User(c)
	out := meView{
		userView: viewUser(name), Account: account{"Account", domain, accountID, domain}, Username: name,
		DateJoined: moment(time.Unix(0, 0)), IsVerified: true, PasswordDaysRemaining: map[string]any{},
		URL: host.Site(c) + userPath,
	}
	if host.Caller(c).IsAdmin() {
		out.Role = "admin"
	}
	return show(c, http.StatusOK, out)
}
