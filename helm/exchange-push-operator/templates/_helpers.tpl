{{- define "epo.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "epo.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "epo.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "epo.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "epo.selectorLabels" -}}
app.kubernetes.io/name: {{ include "epo.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "epo.labels" -}}
{{ include "epo.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "epo.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "epo.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is required when serviceAccount.create is false: name the existing one" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "epo.image" -}}
{{- $version := default .Chart.AppVersion .Values.image.tag }}
{{- .Values.image.repository }}{{ ternary (printf "@%s" .Values.image.digest) (printf ":%s" $version) (ne .Values.image.digest "") }}
{{- end }}

{{- define "epo.hasCaBundle" -}}
{{- if and .Values.caBundle.secretName .Values.caBundle.configMapName }}
{{- fail "caBundle takes secretName or configMapName, not both" }}
{{- end }}
{{- if or .Values.caBundle.secretName .Values.caBundle.configMapName }}true{{ end }}
{{- end }}

{{/* All that the operator may do. Secrets are read by name only: no list, no watch. */}}
{{- define "epo.rules" -}}
- apiGroups: [exchangepush.dev]
  resources: [exchangepushconfigs]
  verbs: [get, list, watch, patch] # patch: the finalizer of deletionPolicy Disable
- apiGroups: [exchangepush.dev]
  resources: [exchangepushconfigs/status]
  verbs: [get, update, patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
