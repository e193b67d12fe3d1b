// What the tests use to find things on the screen, as a person or assistive technology would.
window.__test = (() => {
  const roles = {
    button: 'button, [role=button], input[type=button], input[type=submit]', link: 'a[href]',
    checkbox: 'input[type=checkbox], [role=checkbox]', tab: '[role=tab], nav a', cell: 'td, th, [role=gridcell], [role=cell]',
    row: 'tr, [role=row]', option: 'option, [role=option]', summary: 'summary', radio: 'input[type=radio]',
    field: 'input, select, textarea, [contenteditable=true], [role=textbox], [role=combobox]',
    any: '*',
  }
  const flat = (text) => (text ?? '').replace(/\s+/g, ' ').trim()

  // roots are the document and the shadow roots in it.
  function roots(root = document) {
    const found = [root]
    for (const element of root.querySelectorAll('*')) if (element.shadowRoot) found.push(...roots(element.shadowRoot))
    return found
  }
  // While a dialog is open, only what is in it can be used.
  function scope() {
    const dialogs = document.querySelectorAll('dialog[open]')
    return dialogs.length ? roots(dialogs[dialogs.length - 1]) : roots()
  }
  function isVisible(element) {
    return element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) &&
      element.getClientRects().length > 0
  }
  function nameOf(element) {
    const by = element.getAttribute('aria-labelledby')
    if (by) return flat(by.split(/\s+/).map((id) => element.getRootNode().getElementById(id)?.textContent).join(' '))
    if (element.ariaLabel) return flat(element.ariaLabel)
    if (element.labels?.length) return flat(Array.from(element.labels, (l) => labelText(l)).join(' '))
    return flat(element.innerText || element.textContent) || flat(element.value) || flat(element.title) ||
      flat(element.placeholder)
  }
  // A label's text without that of the control in it.
  function labelText(label) {
    const copy = label.cloneNode(true)
    for (const control of copy.querySelectorAll('select, input, textarea')) control.remove()
    return copy.textContent
  }
  // The element with a name; of several the one that is named exactly so, else the first that begins so.
  function find(role, name) {
    const all = scope().flatMap((root) => [...root.querySelectorAll(roles[role])]).filter(isVisible)
    const wanted = flat(name)
    const exact = all.filter((e) => nameOf(e) === wanted)
    if (exact.length) return role === 'any' ? exact[exact.length - 1] : exact[0]
    return all.find((e) => nameOf(e).startsWith(wanted))
  }
  function field(label) {
    return find('field', label)
  }
  return {
    sees: (text) => flat(scope().map((r) => (r === document ? document.body : r)).filter((r) => r) // no body: it loads
      .map((r) => r.innerText ?? [...r.children].map((c) => c.innerText).join(' ')).join(' ')).includes(flat(text)),
    has: (role, name) => !!find(role, name),
    spot(role, name) {
      const element = find(role, name)
      if (!element) return null
      element.scrollIntoView({ block: 'nearest', inline: 'nearest' })
      if (element.disabled) return { X: 0, Y: 0, Why: 'disabled' }
      const box = element.getClientRects()[0]
      const X = box.x + box.width / 2
      const Y = box.y + box.height / 2
      let top = document.elementFromPoint(X, Y)
      while (top?.shadowRoot?.elementFromPoint(X, Y)) top = top.shadowRoot.elementFromPoint(X, Y)
      const hit = top && (element.contains(top) || top.contains(element) ||
        (element.labels && [...element.labels].some((l) => l.contains(top))))
      return { X, Y, Why: hit ? '' : 'covered' }
    },
    focus(label) {
      const element = field(label)
      element?.scrollIntoView({ block: 'center' })
      element?.focus()
      return !!element
    },
    // Whether the field with a label still has the focus, or the text that was typed into it.
    holds(label, text) {
      const element = field(label)
      return !!element && (element.value === text || element.getRootNode().activeElement === element)
    },
    // What has the focus, whether that is what has a role and a name, and whether it can be seen to have it.
    focused(role, name) {
      let active = document.activeElement
      while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement
      if (!active || active === document.body) return { Shown: true }
      // A page that appears takes the focus, which shows nothing; the browser shows which part of a date has it.
      if (active.tabIndex < 0 || active.type === 'date') return { Shown: true }
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(active)
      const box = active.getBoundingClientRect()
      return {
        Is: active === find(role, name), Name: nameOf(active).slice(0, 80),
        Shown: (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0 || boxShadow !== 'none') &&
          box.bottom > 0 && box.top < innerHeight,
      }
    },
    choose(label, option) {
      const element = field(label)
      const wanted = element && [...element.options].find((o) => flat(o.text) === option || o.value === option)
      if (!wanted) return false
      element.value = wanted.value
      element.dispatchEvent(new Event('input', { bubbles: true }))
      element.dispatchEvent(new Event('change', { bubbles: true }))
      return true
    },
    drop(selector, name, media, content) {
      const element = document.querySelector(selector)
      if (!element) return false
      const data = new DataTransfer()
      data.items.add(new File([content], name, { type: media }))
      for (const type of ['dragenter', 'dragover', 'drop']) {
        element.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data }))
      }
      return true
    },
    async axe() {
      const result = await axe.run(document, { resultTypes: ['violations'] })
      return result.violations
        .filter((v) => v.impact === 'serious' || v.impact === 'critical')
        .map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + ' ' +
          n.any.map((a) => a.message).join(' ').slice(0, 200)).join(' | ')}`)
    },
  }
})()
