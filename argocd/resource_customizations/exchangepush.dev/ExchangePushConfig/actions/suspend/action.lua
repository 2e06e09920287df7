if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["exchangepush.dev/suspended"] = "true"
return obj
