{{- define "stats.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "stats.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "stats.labels" -}}
{{ include "stats.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "stats.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (include "stats.name" .) }}
{{- end }}

{{- define "stats.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* The settings that a process has, from (list $ "api" or "consumers"): a setting is given once, as a value or by a
Secret. What is missing is said here, before a pod would say it and end. */}}
{{- define "stats.env" -}}
{{- $root := index . 0 }}
{{- $component := index . 1 }}
{{- $of := index $root.Values $component }}
{{- $secrets := mergeOverwrite (dict) $root.Values.secrets $of.secrets }}
{{- $settings := mergeOverwrite (dict) $root.Values.settings $of.settings }}
{{- range $name, $_ := $settings }}
{{- if hasKey $secrets $name }}{{ fail (printf "%s is given twice: as a setting and by a Secret" $name) }}{{ end }}
{{- end }}
{{- $given := merge (dict) $settings $secrets }}
{{- if not (hasKey $given "STATS_REDIS_URL") }}
{{- fail "STATS_REDIS_URL is missing: set settings.STATS_REDIS_URL or secrets.STATS_REDIS_URL" }}
{{- end }}
{{- if eq $component "consumers" }}
{{- if not (hasKey $given "STATS_KAFKA_BOOTSTRAP_SERVERS") }}
{{- fail "STATS_KAFKA_BOOTSTRAP_SERVERS is missing: set consumers.settings.STATS_KAFKA_BOOTSTRAP_SERVERS" }}
{{- end }}
{{- else if eq (toString (default "jwt" $settings.STATS_AUTH)) "keystone" }}
{{- range tuple "URL" "USERNAME" "PASSWORD" "PROJECT" "DOMAIN" }}
{{- if not (hasKey $given (print "STATS_KEYSTONE_" .)) }}
{{- fail (printf "STATS_KEYSTONE_%s is missing: STATS_AUTH is keystone" .) }}
{{- end }}
{{- end }}
{{- else if eq (hasKey $given "STATS_JWT_SECRET") (hasKey $given "STATS_JWT_JWKS_URL") }}
{{- fail "give one of api.secrets.STATS_JWT_SECRET and api.settings.STATS_JWT_JWKS_URL" }}
{{- end }}
{{- range $name, $value := $settings }}
- name: {{ $name }}
  value: {{ if kindIs "float64" $value }}{{ $value | toJson | quote }}{{ else }}{{ $value | toString | quote }}{{ end }}
{{- end }}
{{- range $name, $from := $secrets }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {{ pick $from "name" "key" | toJson }}}
{{- end }}
{{- with $root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What both kinds of pods have besides their container, from (list $ component). */}}
{{- define "stats.pod" -}}
{{- $root := index . 0 }}
{{- $component := index . 1 }}
serviceAccountName: {{ include "stats.serviceAccountName" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values }}
{{- with .imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
topologySpreadConstraints:
{{- range tuple "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "stats.selector" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $component }}
{{- end }}
volumes:
  - {name: tmp, emptyDir: {sizeLimit: 64Mi}}
  {{- with $root.Values.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* What both kinds of containers have. */}}
{{- define "stats.container" -}}
image: {{ include "stats.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- with .Values.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "stats.podMetadata" -}}
{{- $root := index . 0 }}
labels:
  {{- with $root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- include "stats.labels" $root | nindent 2 }}
  app.kubernetes.io/component: {{ index . 1 }}
{{- with $root.Values.podAnnotations }}
annotations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
