// The pages of Rowback, as one application.
//
// How to add a page: write src/pages/Name.svelte, which takes the props { params: Record<string, string>; query:
// URLSearchParams }, and name it in src/routes.ts with its path. It is loaded when it is first visited. What shows it in
// the navigation is in src/ui/Shell.svelte.
//
// What every page follows: the URL is the whole state (go() and setQuery() of lib/router change it); data comes from
// lib/api, which ends requests when the page is left; text of the server is shown with ui/Text, times with ui/Time,
// counts with ui/Count; an action that needs a role is offered only if may(project, role) of lib/me says so; there are
// no style attributes and no {@html}, which the policy of the pages would refuse (style:name={…} is fine). A library that
// makes <style> elements needs a shadow root, where it uses adoptedStyleSheets. npm run check and npm test are fast.
import { mount } from 'svelte'

import App from './App.svelte'
import './styles/tokens.css'
import './styles/base.css'
import { applyTheme } from './lib/theme.svelte'

applyTheme()
mount(App, { target: document.getElementById('app')! })
