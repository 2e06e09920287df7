-- Health of an ExchangePushConfig. Its conditions follow kstatus: Ready sums up; Reconciling and
-- Stalled are there only while they are True. What speaks of another generation does not count.
-- Of an object that is being deleted Argo CD itself says "Pending deletion" and does not ask.
local metadata = obj.metadata
local status = obj.status or {}
local annotations = metadata.annotations or {}

local function up_to_date(part)
  local seen = part.observedGeneration
  return seen == nil or metadata.generation == nil or seen == metadata.generation
end

local conditions = {}
if up_to_date(status) then
  for _, condition in ipairs(status.conditions or {}) do
    if up_to_date(condition) then
      conditions[condition.type] = condition
    end
  end
end

local function health(code, message)
  return { status = code, message = message }
end

local function words(condition)
  return condition.message or condition.reason
end

local ready = conditions.Ready
local in_sync = conditions.InSync
local reconciling = conditions.Reconciling
local stalled = conditions.Stalled

if obj.spec ~= nil and obj.spec.suspend == true then
  return health("Suspended", "Suspended by spec.suspend")
end
if annotations["exchangepush.dev/suspended"] == "true" then
  return health("Suspended", "Suspended by the annotation exchangepush.dev/suspended")
end
if stalled ~= nil and stalled.status == "True" then
  return health("Degraded", words(stalled))
end

if ready == nil then
  return health("Progressing", "Waiting for the operator to look")
end
if ready.reason == "Suspended" then
  return health("Progressing", "Resumed, waiting for the operator to look")
end
-- A pass that failed and is tried again must not hide behind Progressing.
if reconciling ~= nil and reconciling.status == "True" and reconciling.reason ~= "ProgressingWithRetry" then
  return health("Progressing", words(reconciling))
end
if ready.status == "True" then
  if in_sync ~= nil and in_sync.status == "False" then
    return health("Healthy", words(ready) .. " (" .. in_sync.reason .. ": " .. words(in_sync) .. ")")
  end
  return health("Healthy", words(ready))
end
if ready.status == "False" and in_sync ~= nil and
    (in_sync.reason == "AwaitingApproval" or in_sync.reason == "OutsideWindow") then
  return health("Degraded", words(ready) .. " (" .. in_sync.reason .. ": " .. words(in_sync) .. ")")
end
if ready.status == "False" or ready.reason == "Unreachable" then
  return health("Degraded", words(ready))
end
return health("Progressing", words(ready))
