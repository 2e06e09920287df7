-- By annotation and not by spec: what is not in git, self-heal leaves alone.
local annotations = obj.metadata.annotations or {}
local by_annotation = annotations["exchangepush.dev/suspended"] == "true"
local suspended = by_annotation or (obj.spec ~= nil and obj.spec.suspend == true)

return {
  reconcile = {
    disabled = suspended,
    displayName = "Reconcile",
    iconClass = "fa fa-fw fa-sync",
  },
  suspend = {
    disabled = suspended,
    displayName = "Suspend",
    iconClass = "fa fa-fw fa-pause",
  },
  -- What spec.suspend stops, a commit resumes.
  resume = {
    disabled = not by_annotation,
    displayName = "Resume",
    iconClass = "fa fa-fw fa-play",
  },
}
