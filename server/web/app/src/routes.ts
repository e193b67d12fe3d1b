import type { Component } from 'svelte'

export type PageProps = { params: Record<string, string>; query: URLSearchParams }
type Loader = () => Promise<{ default: Component<PageProps> }>

export type Route = {
  path: string // segments that begin with a colon are parameters
  title: string
  load: Loader
  tab?: string // of a dataset's navigation
}

// The first route that matches is shown.
export const routes: Route[] = [
  { path: '/', title: 'Datasets', load: () => import('./pages/Datasets.svelte') },
  { path: '/datasets', title: 'Datasets', load: () => import('./pages/Datasets.svelte') },
  { path: '/new', title: 'New dataset', load: () => import('./pages/NewDataset.svelte') },
  { path: '/tour', title: 'Tour', load: () => import('./pages/Tour.svelte') },
  { path: '/login', title: 'Log in', load: () => import('./pages/Login.svelte') },
  { path: '/sql', title: 'SQL', load: () => import('./pages/Sql.svelte') },
  { path: '/admin', title: 'Administration', load: () => import('./pages/Admin.svelte') },
  { path: '/admin/:section', title: 'Administration', load: () => import('./pages/Admin.svelte') },
  { path: '/datasets/:dataset', tab: 'data', title: 'Data', load: () => import('./pages/Data.svelte') },
  {
    path: '/datasets/:dataset/history', tab: 'history', title: 'History',
    load: () => import('./pages/History.svelte'),
  },
  {
    path: '/datasets/:dataset/commits/:commit', tab: 'history', title: 'Commit',
    load: () => import('./pages/Commit.svelte'),
  },
  {
    path: '/datasets/:dataset/commits/:commit/rollback', tab: 'history', title: 'Roll back',
    load: () => import('./pages/Rollback.svelte'),
  },
  {
    path: '/datasets/:dataset/restore', tab: 'history', title: 'Restore',
    load: () => import('./pages/Restore.svelte'),
  },
  { path: '/datasets/:dataset/merge', tab: 'history', title: 'Merge', load: () => import('./pages/Merge.svelte') },
  {
    path: '/datasets/:dataset/compare', tab: 'compare', title: 'Compare',
    load: () => import('./pages/Compare.svelte'),
  },
  { path: '/datasets/:dataset/trend', tab: 'trend', title: 'Trend', load: () => import('./pages/Trend.svelte') },
  {
    path: '/datasets/:dataset/proposals', tab: 'proposals', title: 'Proposals',
    load: () => import('./pages/Proposals.svelte'),
  },
  {
    path: '/datasets/:dataset/proposals/:proposal', tab: 'proposals', title: 'Proposal',
    load: () => import('./pages/Proposal.svelte'),
  },
  {
    path: '/datasets/:dataset/settings', tab: 'settings', title: 'Settings',
    load: () => import('./pages/DatasetSettings.svelte'),
  },
]
