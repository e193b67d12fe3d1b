package api

import (
	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/host"
)

// accessRoutes returns the routes about users, tokens and projects.
func (a *API) accessRoutes() []route {
	const users, tokens, projects = "/api/v1/users", "/api/v1/tokens", "/api/v1/projects"
	const sessions = "/api/v1/sessions"
	return []route{
		{
			method: "GET", path: "/api/v1/me", id: "getMe", tag: "access", role: access.Known,
			summary: "Who the caller is, and their roles",
			status:  200, out: meView{}, problems: []int{422}, handler: a.getMe,
		},
		{
			method: "GET", path: users, id: "listUsers", tag: "access", role: access.Admin,
			summary: "Users, by name",
			in:      listUsersIn{}, status: 200, out: userList{}, problems: []int{422}, handler: onAccounts(a, a.listUsers),
		},
		{
			method: "POST", path: users, id: "createUser", tag: "access", role: access.Admin,
			summary: "Add a user, with roles",
			in:      createUserIn{}, status: 201, out: userView{}, problems: writes, handler: onAccounts(a, a.createUser),
		},
		{
			method: "GET", path: users + "/{user}", id: "getUser", tag: "access", role: access.Known,
			summary: "A user, to admins and to that user",
			in:      userIn{}, status: 200, out: userView{}, problems: finds, handler: onAccounts(a, a.getUser),
		},
		{
			method: "PATCH", path: users + "/{user}", id: "editUser", tag: "access", role: access.Admin,
			summary: "Describe, disable or enable a user",
			in:      editUserIn{}, status: 200, out: userView{}, problems: writes, handler: onAccounts(a, a.editUser),
		},
		{
			method: "PUT", path: users + "/{user}/roles", id: "setRoles", tag: "access", role: access.Admin,
			summary: "Give a user roles, in place of all before",
			in:      setRolesIn{}, status: 200, out: userView{}, problems: writes, handler: onAccounts(a, a.setRoles),
		},
		{
			method: "DELETE", path: users + "/{user}", id: "deleteUser", tag: "access", role: access.Admin,
			summary: "Remove a user, with roles, tokens and sessions; what the user did stays",
			in:      userIn{}, status: 204, problems: writes, handler: onAccounts(a, a.deleteUser),
		},

		{
			method: "GET", path: tokens, id: "listTokens", tag: "access", role: access.Known,
			summary: "One's own tokens; those of all users for admins",
			in:      listTokensIn{}, status: 200, out: tokenList{}, problems: []int{422}, handler: onAccounts(a, a.listTokens),
		},
		{
			method: "POST", path: tokens, id: "createToken", tag: "access", role: access.Known,
			summary: "Make a token, which is shown once",
			in:      createTokenIn{}, status: 201, out: createdToken{}, problems: writes, handler: onAccounts(a, a.createToken),
		},
		{
			method: "DELETE", path: tokens + "/{token}", id: "deleteToken", tag: "access", role: access.Known,
			summary: "Revoke a token at once",
			in:      tokenIn{}, status: 204, problems: finds, handler: onAccounts(a, a.deleteToken),
		},

		{
			method: "GET", path: loginPath, id: "getLogin", tag: "access", role: access.Public,
			summary: "How one can log in",
			status:  200, out: loginView{}, problems: []int{422}, handler: a.getLogin,
		},
		{
			method: "GET", path: loginPath + "/provider", id: "beginLogin", tag: "access", role: access.Public,
			summary: "303 to the identity provider, for browsers",
			in:      beginLoginIn{}, status: 303, media: []string{"text/html"}, problems: []int{404, 422},
			handler: a.beginLogin,
		},
		{
			method: "GET", path: host.LoginCallback, id: "completeLogin", tag: "access", role: access.Public,
			summary: "Where the identity provider sends browsers back to: it starts a session",
			in:      completeLoginIn{}, status: 200, media: []string{"text/html"}, problems: []int{401, 404, 422},
			handler: a.completeLogin,
		},
		{
			method: "GET", path: sessions, id: "listSessions", tag: "access", role: access.Known,
			summary: "One's own logins; those of all users for admins",
			in:      listSessionsIn{}, status: 200, out: sessionList{}, problems: []int{422},
			handler: onAccounts(a, a.listSessions),
		},
		{
			method: "DELETE", path: sessions, id: "endSessions", tag: "access", role: access.Known,
			summary: "End all sessions of a user at once",
			in:      endSessionsIn{}, status: 200, out: endedSessions{}, problems: []int{422},
			handler: onAccounts(a, a.endSessions),
		},
		{
			method: "DELETE", path: sessions + "/{session}", id: "deleteSession", tag: "access", role: access.Known,
			summary: "End a session at once",
			in:      sessionIn{}, status: 204, problems: finds, handler: onAccounts(a, a.deleteSession),
		},

		{
			method: "GET", path: projects, id: "listProjects", tag: "access", role: access.Known,
			summary: "Projects in which the caller has a role",
			in:      listProjectsIn{}, status: 200, out: projectList{}, problems: []int{422},
			handler: onAccounts(a, a.listProjects),
		},
		{
			method: "POST", path: projects, id: "createProject", tag: "access", role: access.Admin,
			summary: "Add a project, or name one that has only its number",
			in:      createProjectIn{}, status: 201, out: projectView{}, problems: writes,
			handler: onAccounts(a, a.createProject),
		},
		{
			method: "GET", path: projects + "/{project}", id: "getProject", tag: "access", role: access.Known,
			summary: "One project",
			in:      projectIn{}, status: 200, out: projectView{}, problems: finds, handler: onAccounts(a, a.getProject),
		},
		{
			method: "PATCH", path: projects + "/{project}", id: "editProject", tag: "access", role: access.Admin,
			summary: "Rename or describe a project",
			in:      editProjectIn{}, status: 200, out: projectView{}, problems: writes, handler: onAccounts(a, a.editProject),
		},
		{
			method: "GET", path: projects + "/{project}/quota", id: "getQuota", tag: "access", role: access.Known,
			summary: "What a project may store, and what it does",
			in:      projectIn{}, status: 200, out: quotaView{}, problems: finds, handler: onAccounts(a, a.getQuota),
		},
		{
			method: "PUT", path: projects + "/{project}/quota", id: "putQuota", tag: "access", role: access.Admin,
			summary: "Set what a project may store: commits that would exceed it are refused",
			in:      putQuotaIn{}, status: 200, out: quotaView{}, problems: writes, handler: onAccounts(a, a.putQuota),
		},
		{
			method: "DELETE", path: projects + "/{project}", id: "deleteProject", tag: "access", role: access.Admin,
			summary: "Remove a project that has no datasets, with the roles in it",
			in:      projectIn{}, status: 204, problems: writes, handler: onAccounts(a, a.deleteProject),
		},
	}
}
