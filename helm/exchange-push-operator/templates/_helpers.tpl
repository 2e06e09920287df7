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

{{/* The Lease of the leader. Kubernetes cannot restrict create to a name. */}}
{{- define "epo.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "epo.fullname" . }}]
  verbs: [get, update]
{{- end }}

{{/* What it takes for credentials.workloadIdentity: tokens of these accounts, no others. */}}
{{- define "epo.tokenRules" -}}
- apiGroups: [""]
  resources: [serviceaccounts/token]
  resourceNames: {{ toJson . }}
  verbs: [create]
{{- end }}

{{/* A Role and its binding in a namespace; without one a ClusterRole. */}}
{{- define "epo.grant" }}
{{- $kind := empty .namespace | ternary "ClusterRole" "Role" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "epo.labels" .root | nindent 4 }}
rules:
{{ .rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "epo.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ .name }}
subjects:
- kind: ServiceAccount
  name: {{ include "epo.serviceAccountName" .root }}
  namespace: {{ .root.Release.Namespace }}
{{- end }}
