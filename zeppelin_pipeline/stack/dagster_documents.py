"""The GraphQL documents that we send to Dagster's webserver. How their answers are read is dagster_client's part.

Each has one field at the top; error types are asked for their message.
"""

from typing import Final

_ERROR: Final = "... on Error { message }"

LOCATIONS: Final = f"""
query Locations {{
  workspaceOrError {{
    __typename {_ERROR}
    ... on Workspace {{
      locationEntries {{
        name loadStatus
        locationOrLoadError {{ __typename ... on PythonError {{ message className causes {{ message }} }} }}
      }}
    }}
  }}
}}
"""

DAEMONS: Final = """
query Daemons { instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }
"""

LAUNCH_RUN: Final = f"""
mutation LaunchRun($params: ExecutionParams!) {{
  launchRun(executionParams: $params) {{
    __typename {_ERROR}
    ... on LaunchRunSuccess {{ run {{ runId }} }}
    ... on RunConfigValidationInvalid {{ errors {{ message }} }}
  }}
}}
"""

LAUNCH_BACKFILL: Final = f"""
mutation LaunchBackfill($params: LaunchBackfillParams!) {{
  launchPartitionBackfill(backfillParams: $params) {{
    __typename {_ERROR}
    ... on LaunchBackfillSuccess {{ backfillId }}
    ... on RunConfigValidationInvalid {{ errors {{ message }} }}
  }}
}}
"""

ADD_PARTITION: Final = f"""
mutation AddPartition($repository: RepositorySelector!, $definition: String!, $key: String!) {{
  addDynamicPartition(repositorySelector: $repository, partitionsDefName: $definition, partitionKey: $key) {{
    __typename {_ERROR}
    ... on DuplicateDynamicPartitionError {{ partitionName }}
  }}
}}
"""

RETRY_BACKFILL: Final = f"""
mutation RetryBackfill($params: ReexecutionParams!) {{
  reexecutePartitionBackfill(reexecutionParams: $params) {{
    __typename {_ERROR} ... on LaunchBackfillSuccess {{ backfillId }}
  }}
}}
"""

CANCEL_BACKFILL: Final = f"""
mutation CancelBackfill($id: String!) {{
  cancelPartitionBackfill(backfillId: $id) {{ __typename {_ERROR} }}
}}
"""

BACKFILL: Final = f"""
query Backfill($id: String!) {{
  partitionBackfillOrError(backfillId: $id) {{
    __typename {_ERROR}
    ... on PartitionBackfill {{
      id status numPartitions error {{ message }}
      assetBackfillData {{
        assetBackfillStatuses {{
          __typename
          ... on AssetPartitionsStatusCounts {{
            assetKey {{ path }}
            numPartitionsTargeted numPartitionsInProgress numPartitionsMaterialized numPartitionsFailed
          }}
        }}
      }}
    }}
  }}
}}
"""

BACKFILLS: Final = f"""
query Backfills($statuses: [BulkActionStatus!]) {{
  partitionBackfillsOrError(filters: {{ statuses: $statuses }}) {{
    __typename {_ERROR} ... on PartitionBackfills {{ results {{ id }} }}
  }}
}}
"""

RUNS: Final = f"""
query Runs($filter: RunsFilter!, $limit: Int) {{
  runsOrError(filter: $filter, limit: $limit) {{
    __typename {_ERROR}
    ... on Runs {{
      results {{ runId status startTime endTime assetSelection {{ path }} tags {{ key value }} }}
    }}
  }}
}}
"""

TERMINATE_RUNS: Final = f"""
mutation TerminateRuns($ids: [String!]!, $policy: TerminateRunPolicy) {{
  terminateRuns(runIds: $ids, terminatePolicy: $policy) {{ __typename {_ERROR} }}
}}
"""

RUN_EVENTS: Final = f"""
query RunEvents($id: ID!, $cursor: String) {{
  logsForRun(runId: $id, afterCursor: $cursor) {{
    __typename {_ERROR}
    ... on EventConnection {{
      cursor hasMore
      events {{
        __typename
        ... on MessageEvent {{ message level timestamp stepKey }}
        ... on ErrorEvent {{ error {{ message causes {{ message }} }} }}
      }}
    }}
  }}
}}
"""

PARTITION_STATUSES: Final = f"""
query PartitionStatuses($asset: AssetKeyInput!) {{
  assetNodeOrError(assetKey: $asset) {{
    __typename {_ERROR}
    ... on AssetNode {{
      partitionKeys
      assetPartitionStatuses {{
        __typename
        ... on DefaultPartitionStatuses {{
          materializedPartitions failedPartitions unmaterializedPartitions materializingPartitions
        }}
      }}
    }}
  }}
}}
"""

MATERIALIZATIONS: Final = f"""
query Materializations($asset: AssetKeyInput!, $partitions: [String!], $limit: Int) {{
  assetNodeOrError(assetKey: $asset) {{
    __typename {_ERROR}
    ... on AssetNode {{
      assetMaterializations(partitions: $partitions, limit: $limit) {{
        runId timestamp partition
        metadataEntries {{
          __typename label
          ... on IntMetadataEntry {{ intRepr }}
          ... on FloatMetadataEntry {{ floatRepr }}
          ... on BoolMetadataEntry {{ boolValue }}
          ... on TextMetadataEntry {{ text }}
          ... on MarkdownMetadataEntry {{ mdStr }}
          ... on JsonMetadataEntry {{ jsonString }}
          ... on PathMetadataEntry {{ path }}
          ... on UrlMetadataEntry {{ url }}
        }}
      }}
    }}
  }}
}}
"""

ASSETS: Final = "query Assets { assetNodes { assetKey { path } isPartitioned } }"

SET_POOL_LIMIT: Final = """
mutation SetPoolLimit($pool: String!, $limit: Int!) { setConcurrencyLimit(concurrencyKey: $pool, limit: $limit) }
"""
