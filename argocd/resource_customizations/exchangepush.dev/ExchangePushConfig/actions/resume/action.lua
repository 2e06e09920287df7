if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["exchangepush.dev/suspended"] = nil
end
return obj
