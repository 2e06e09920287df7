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
app.kubernetes.io/part-of: {{ include "epo.name" . }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
Head of an object: name, namespace, labels. Takes root and, optionally, suffix and labels. The name
of a Service has 63 characters at most, its suffix among them.
*/}}
{{- define "epo.metadata" -}}
{{- $suffix := .suffix | default "" -}}
name: {{ include "epo.fullname" .root | trunc (sub 63 (len $suffix) | int) | trimSuffix "-" }}{{ $suffix }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "epo.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
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
{{- with .Values.image.registry }}{{ . }}/{{ end }}
{{- .Values.image.repository }}{{ ternary (printf "@%s" .Values.image.digest) (printf ":%s" $version) (ne .Values.image.digest "") }}
{{- end }}

{{- define "epo.hasCaBundle" -}}
{{- if and .Values.caBundle.secretName .Values.caBundle.configMapName }}
{{- fail "caBundle takes secretName or configMapName, not both" }}
{{- end }}
{{- if or .Values.caBundle.secretName .Values.caBundle.configMapName }}true{{ end }}
{{- end }}

{{/* Whether OpenShift chooses user and group. */}}
{{- define "epo.isOpenShift" -}}
{{- $adapt := .Values.openshift.adaptSecurityContext }}
{{- $known := .Capabilities.APIVersions.Has "security.openshift.io/v1" }}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") $known) }}true{{ end }}
{{- end }}

{{/* A security context without what OpenShift wants to choose. Takes root and context. */}}
{{- define "epo.securityContext" -}}
{{- if include "epo.isOpenShift" .root }}
{{- omit .context "runAsUser" "runAsGroup" "fsGroup" | toYaml }}
{{- else }}
{{- toYaml .context }}
{{- end }}
{{- end }}

{{/* Whether to render an object of the Prometheus operator. Takes root and kind. */}}
{{- define "epo.renders" -}}
{{- $mode := .root.Values.renderMode }}
{{- $known := .root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" .kind) }}
{{- if and (not $known) (eq $mode "failIfMissing") }}
{{- fail (printf "the cluster does not know monitoring.coreos.com/v1 %s: install the Prometheus operator, or set renderMode" .kind) }}
{{- end }}
{{- if or $known (eq $mode "alwaysRender") }}true{{ end }}
{{- end }}

{{/* All that the operator may do where it looks after resources. */}}
{{- define "epo.rules" -}}
- apiGroups: [exchangepush.dev]
  resources: [exchangepushconfigs]
  verbs: [get, list, watch, patch] # patch: the finalizer of deletionPolicy Disable
- apiGroups: [exchangepush.dev]
  resources: [exchangepushconfigs/status]
  verbs: [update]
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.rbac.secretNames }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get{{ if .Values.secrets.watch }}, list, watch{{ end }}]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* What it takes for leader election, in the release's namespace. Names do not limit create. */}}
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
  namespace: {{ . | quote }}
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
  namespace: {{ . | quote }}
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
