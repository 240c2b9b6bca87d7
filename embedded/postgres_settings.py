"""How the embedded PostgreSQL is tuned: a table of settings for a machine of two cores, each with its reason."""

SETTINGS: tuple[tuple[str, str, str], ...] = (
    # name, value, why
    ("listen_addresses", "127.0.0.1", "never reachable from another machine"),
    ("unix_socket_permissions", "0700", "the socket is for our own user"),
    ("cluster_name", "throughline", "ps and the log say whose server this is"),
    ("max_connections", "100", "web threads, workers, listener and a person's psql, with room for twice the workers"),
    ("superuser_reserved_connections", "5", "a fault test can always get in and look"),
    ("shared_buffers", "256MB", "the hot partitions and their indexes; small enough for a laptop"),
    ("work_mem", "8MB", "sorts of admin pages stay in memory; 100 connections cannot exhaust the machine"),
    ("maintenance_work_mem", "128MB", "index builds of migrations"),
    ("effective_cache_size", "1GB", "what the system's page cache gives us at least"),
    ("max_locks_per_transaction", "256", "a statement over a partitioned table locks each month and each index"),
    ("jit", "off", "short statements only: compiling would cost more than running"),
    ("max_parallel_workers_per_gather", "0", "two cores are busy with the hub; a report must not take both"),
    ("random_page_cost", "1.1", "solid-state disks"),
    ("wal_level", "replica", "a base backup and point-in-time recovery can be tried on the embedded server"),
    ("wal_compression", "off", "a full page image costs disk, compressing it costs the processor, and that is scarcer"),
    ("wal_buffers", "16MB", "one group commit of a few thousand rows fits"),
    ("max_wal_size", "4GB", "checkpoints come by time, not in the middle of a load"),
    ("min_wal_size", "256MB", "recycled segments instead of new files"),
    ("checkpoint_timeout", "15min", "fewer full page images; recovery still takes seconds"),
    ("checkpoint_completion_target", "0.9", "checkpoints are spread instead of stalling commits"),
    ("autovacuum_naptime", "15s", "queue tables turn over within seconds"),
    ("autovacuum_vacuum_scale_factor", "0.05", "dead rows of the queue tables go early"),
    ("autovacuum_analyze_scale_factor", "0.05", "plans follow a table that grew from nothing"),
    ("autovacuum_max_workers", "2", "as many as there are cores"),
    ("deadlock_timeout", "500ms", "two workers that hold each other up are told soon"),
    ("timezone", "UTC", "every instant is stored in UTC; people's zones belong to the pages"),
    ("log_timezone", "UTC", "the log can be laid beside the hub's own"),
    ("log_line_prefix", "%m [%p] %q%a ", "when, which process, which application"),
    ("log_checkpoints", "off", "the log is for what somebody has to read"),
    ("log_error_verbosity", "terse", "an error's DETAIL line quotes values, and values may be a patient's"),
    ("log_min_error_statement", "panic", "and so do the texts of statements"),
    ("log_parameter_max_length", "0", "and their parameters"),
    ("log_parameter_max_length_on_error", "0", "on errors too"),
)

DURABLE: tuple[tuple[str, str, str], ...] = (
    ("fsync", "on", "an acknowledged message survives a power cut"),
    ("synchronous_commit", "on", "a commit that was answered is on the disk"),
    ("full_page_writes", "on", "a torn page is repaired from the log"),
)

FAST: tuple[tuple[str, str, str], ...] = (
    ("fsync", "off", "tests only: the data does not outlive the run; kill -9 of any process is still survived"),
    ("synchronous_commit", "on", "what a test commits is in the log before it goes on, as in production"),
    ("full_page_writes", "off", "tests only: nobody cuts the power"),
)


def flags(*, durable: bool) -> list[str]:
    """The settings as command line arguments of the server."""
    table = SETTINGS + (DURABLE if durable else FAST)
    return [argument for name, value, _why in table for argument in ("-c", f"{name}={value}")]
