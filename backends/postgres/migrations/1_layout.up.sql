-- Numbers of 64 bits are kept with their first bit flipped, so that bigint orders them as unsigned.

CREATE TABLE stores (
    id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace text NOT NULL,
    key_groups int4 NOT NULL,
    first_group int4 NOT NULL,
    end_group int4 NOT NULL,
    -- How it was opened last for writing: exclusive or shared.
    mode text NOT NULL,
    -- Raised whenever ownership changes; every commit compares it.
    epoch int8 NOT NULL DEFAULT 0,
    -- Counts openings.
    session int8 NOT NULL DEFAULT 0,
    -- The upper part of revisions; raised whenever states go.
    incarnation int4 NOT NULL DEFAULT 1,
    -- Time is never before this.
    floor int8 NOT NULL DEFAULT -9223372036854775808,
    -- The loader that may publish.
    loader int8 NOT NULL DEFAULT 0,
    -- Handles at level `visible` that were not closed.
    unclean int4 NOT NULL DEFAULT 0,
    UNIQUE (namespace, first_group, end_group)
);

-- The row that every commit to the stripe's key groups locks. A store has 16: that of a group is its remainder.
CREATE TABLE stripes (
    store int4 NOT NULL,
    stripe int2 NOT NULL,
    -- The store's.
    epoch int8 NOT NULL,
    incarnation int4 NOT NULL,
    -- The last revision's lower part.
    sequence int8 NOT NULL DEFAULT 0,
    -- The next list element's number.
    ordinal int8 NOT NULL DEFAULT -9223372036854775808,
    PRIMARY KEY (store, stripe)
) WITH (fillfactor = 50);

CREATE TABLE states (
    id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    store int4 NOT NULL,
    name text NOT NULL,
    spec jsonb NOT NULL,
    -- live: in the catalog; loading: seen by its loader alone; dead: its entries are being removed.
    phase text NOT NULL DEFAULT 'live' CHECK (phase IN ('live', 'loading', 'dead'))
);
CREATE UNIQUE INDEX states_live ON states (store, name) WHERE phase = 'live';

CREATE TABLE entries (
    revision int8,
    expires_at int8,
    -- The state's number in four bytes, the key group in two, and the key.
    key bytea NOT NULL,
    sub bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (key, sub)
) WITH (fillfactor = 90);

CREATE TABLE markers (
    store int4 NOT NULL,
    writer bytea NOT NULL,
    sequence int8 NOT NULL,
    position bytea,
    session int8 NOT NULL,
    -- The answer: with these the revisions of the commit are told again.
    incarnation int4 NOT NULL,
    bases int8[],
    PRIMARY KEY (store, writer)
) WITH (fillfactor = 50);

-- Locks the whole store, waiting for commits under way; whether `_epoch` still owns it.
CREATE FUNCTION statehold_lock(_store int4, _epoch int8) RETURNS bool
LANGUAGE plpgsql AS $$
DECLARE
    _owner int8;
BEGIN
    SELECT s.epoch INTO _owner FROM stores s WHERE s.id = _store FOR UPDATE;
    PERFORM 1 FROM stripes g WHERE g.store = _store ORDER BY g.stripe FOR UPDATE;
    RETURN coalesce(_owner = _epoch, false);
END $$;

-- outcome: opened, groups (another number of them), overlap (with another range), unclean
CREATE FUNCTION statehold_open(
    _namespace text, _key_groups int4, _first int4, _end int4, _mode text, _visible bool, _unclean text,
    OUT outcome text, OUT store int4, OUT epoch int8, OUT session int8, OUT floor int8,
    OUT other_first int4, OUT other_end int4, OUT other_groups int4
) LANGUAGE plpgsql AS $$
DECLARE
    _s stores;
    _other stores;
    _suspect bool := false;
BEGIN
    -- Opens of one namespace come one after the other, so that one of them makes the store.
    PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '/' || _namespace, 7230));
    PERFORM set_config('synchronous_commit', 'on', true);
    SELECT * INTO _other FROM stores s WHERE s.namespace = _namespace AND s.key_groups <> _key_groups LIMIT 1;
    IF FOUND THEN
        outcome := 'groups';
        other_groups := _other.key_groups;
        RETURN;
    END IF;
    IF _unclean <> 'discard' THEN
        SELECT * INTO _other FROM stores s
        WHERE s.namespace = _namespace AND s.first_group < _end AND _first < s.end_group
            AND (s.first_group, s.end_group) <> (_first, _end)
        LIMIT 1;
        IF FOUND THEN
            outcome := 'overlap';
            other_first := _other.first_group;
            other_end := _other.end_group;
            RETURN;
        END IF;
    END IF;

    SELECT * INTO _s FROM stores s
    WHERE s.namespace = _namespace AND s.first_group = _first AND s.end_group = _end FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO stores (namespace, key_groups, first_group, end_group, mode)
        VALUES (_namespace, _key_groups, _first, _end, _mode) RETURNING * INTO _s;
        INSERT INTO stripes (store, stripe, epoch, incarnation) SELECT _s.id, g, 0, 1 FROM generate_series(0, 15) g;
    END IF;
    IF _s.unclean > 0 AND (_mode = 'exclusive' OR _s.mode = 'exclusive') THEN
        IF _unclean = 'refuse' THEN
            outcome := 'unclean';
            RETURN;
        END IF;
        _suspect := _unclean = 'recover';
    END IF;

    PERFORM 1 FROM stripes g WHERE g.store = _s.id ORDER BY g.stripe FOR UPDATE;
    IF _unclean = 'discard' THEN
        -- Stores of other ranges that overlap are displaced: their owners find their stripes gone.
        FOR _other IN
            SELECT * FROM stores s
            WHERE s.namespace = _namespace AND s.first_group < _end AND _first < s.end_group AND s.id <> _s.id
            FOR UPDATE
        LOOP
            UPDATE states t SET phase = 'dead', store = _s.id WHERE t.store = _other.id;
            DELETE FROM stripes g WHERE g.store = _other.id;
            DELETE FROM markers m WHERE m.store = _other.id;
            DELETE FROM stores s WHERE s.id = _other.id;
            _s.incarnation := greatest(_s.incarnation, _other.incarnation + 1);
            _s.floor := greatest(_s.floor, _other.floor);
        END LOOP;
        IF _s.unclean > 0 THEN
            UPDATE states t SET phase = 'dead' WHERE t.store = _s.id;
            DELETE FROM markers m WHERE m.store = _s.id;
            _s.incarnation := _s.incarnation + 1;
            _s.unclean := 0;
        END IF;
    END IF;
    IF _mode = 'exclusive' OR _s.mode <> _mode OR _s.session = 0 THEN
        _s.epoch := _s.epoch + 1;
        IF NOT _suspect THEN
            _s.unclean := 0;
        END IF;
    END IF;
    _s.session := _s.session + 1;
    IF _visible AND NOT _suspect THEN
        _s.unclean := _s.unclean + 1;
    END IF;
    UPDATE stores s SET mode = _mode, epoch = _s.epoch, session = _s.session, unclean = _s.unclean,
        incarnation = _s.incarnation, floor = _s.floor
    WHERE s.id = _s.id;
    UPDATE stripes g SET epoch = _s.epoch, incarnation = _s.incarnation WHERE g.store = _s.id;
    -- Each opening of a manager is a new writer: those that have been silent the longest go.
    DELETE FROM markers m USING (
        SELECT o.writer FROM markers o WHERE o.store = _s.id ORDER BY o.session DESC, o.writer OFFSET 1024
    ) silent WHERE m.store = _s.id AND m.writer = silent.writer;
    outcome := CASE WHEN _suspect THEN 'suspect' ELSE 'opened' END;
    store := _s.id;
    epoch := _s.epoch;
    session := _s.session;
    floor := _s.floor;
END $$;

-- outcome: committed, duplicate, older (marker), failed (conditions), fenced, gone (a state)
CREATE FUNCTION statehold_commit(
    _store int4, _epoch int8, _session int8, _now int8,
    -- the stripes touched, ascending; how many revisions and ordinals each of them gives, or null
    _stripes int2[], _revisions int8[], _ordinals int8[],
    _states int4[],
    _writer bytea, _sequence int8, _position bytea,
    -- conditions: absent 0, present 1, revision 2, payload 3
    _c_key bytea[], _c_sub bytea[], _c_heads bool[],
    _c_kind int2[], _c_revision int8[], _c_value bytea[],
    -- ranges of subkeys to remove
    _r_key bytea[], _r_from bytea[], _r_until bytea[],
    -- lists to trim
    _t_key bytea[], _t_count int8[],
    -- records to delete
    _d_key bytea[], _d_sub bytea[],
    -- lists that begin anew if they have expired
    _h_key bytea[],
    -- records to put; a null sub is an element to append. index: of the stripe, from 1, if the row takes a
    -- revision or an ordinal; draw: which one of the stripe
    _p_key bytea[], _p_sub bytea[], _p_value bytea[], _p_expires int8[],
    _p_index int4[], _p_draw int8[],
    OUT outcome text, OUT incarnation int4, OUT bases int8[], OUT failed int8[], OUT last int8, OUT floor int8
) LANGUAGE plpgsql AS $$
DECLARE
    _flip CONSTANT int8 := -9223372036854775808;
    _n int8;
    _marker markers;
    _first int8[];
BEGIN
    SELECT count(*) INTO _n FROM (
        SELECT 1 FROM stripes g
        WHERE g.store = _store AND g.stripe = ANY (_stripes) AND g.epoch = _epoch
        ORDER BY g.stripe FOR NO KEY UPDATE
    ) locked;
    IF _n <> cardinality(_stripes) THEN
        outcome := 'fenced';
        RETURN;
    END IF;
    IF _writer IS NOT NULL THEN
        SELECT * INTO _marker FROM markers m WHERE m.store = _store AND m.writer = _writer;
        IF FOUND AND _marker.sequence >= _sequence THEN
            outcome := CASE WHEN _marker.sequence = _sequence THEN 'duplicate' ELSE 'older' END;
            incarnation := _marker.incarnation;
            bases := _marker.bases;
            last := _marker.sequence;
            RETURN;
        END IF;
    END IF;
    SELECT s.incarnation, s.floor,
        (SELECT count(*) FROM states t WHERE t.id = ANY (_states) AND t.store = _store AND t.phase = 'live')
    INTO incarnation, floor, _n FROM stores s WHERE s.id = _store;
    IF _n <> cardinality(_states) THEN
        outcome := 'gone';
        RETURN;
    END IF;
    _now := greatest(_now, floor);

    IF cardinality(_c_key) > 0 THEN
        SELECT array_agg(c.n - 1 ORDER BY c.n) INTO failed
        FROM unnest(_c_key, _c_sub, _c_heads, _c_kind, _c_revision, _c_value)
            WITH ORDINALITY c (key, sub, heads, kind, revision, value, n)
        LEFT JOIN entries e ON e.key = c.key AND e.sub = c.sub
            AND CASE WHEN c.heads
                THEN EXISTS (SELECT 1 FROM entries h WHERE h.key = c.key
                    AND h.sub = '' AND (h.expires_at IS NULL OR h.expires_at > _now))
                ELSE e.expires_at IS NULL OR e.expires_at > _now END
        WHERE NOT CASE c.kind
            WHEN 0 THEN e.key IS NULL
            WHEN 1 THEN e.key IS NOT NULL
            WHEN 2 THEN coalesce(e.revision = c.revision, false)
            ELSE coalesce(octet_length(e.value) >= 5 AND substring(e.value FROM 6) = c.value, false) END;
        IF failed IS NOT NULL THEN
            outcome := 'failed';
            RETURN;
        END IF;
    END IF;

    IF _revisions IS NOT NULL OR _ordinals IS NOT NULL THEN
        WITH drawn AS (
            UPDATE stripes g
            SET sequence = g.sequence + coalesce(d.revisions, 0), ordinal = g.ordinal + coalesce(d.ordinals, 0)
            FROM unnest(_stripes, _revisions, _ordinals) d (stripe, revisions, ordinals)
            WHERE g.store = _store AND g.stripe = d.stripe
            RETURNING g.stripe, g.sequence, g.sequence - coalesce(d.revisions, 0) AS base,
                g.ordinal - coalesce(d.ordinals, 0) AS first
        )
        SELECT array_agg(d.base ORDER BY d.stripe), array_agg(d.first ORDER BY d.stripe), max(d.sequence)
        INTO bases, _first, _n FROM drawn d;
        IF _n >= 1::int8 << 40 THEN
            RAISE EXCEPTION 'the revisions of a stripe are used up' USING ERRCODE = 'SH001';
        END IF;
    END IF;

    IF cardinality(_r_key) > 0 THEN
        DELETE FROM entries e USING unnest(_r_key, _r_from, _r_until) r (key, low, high)
        WHERE e.key = r.key AND e.sub >= r.low AND (r.high IS NULL OR e.sub < r.high);
    END IF;
    IF cardinality(_t_key) > 0 THEN
        DELETE FROM entries e USING (
            SELECT t.key, f.sub FROM unnest(_t_key, _t_count) t (key, n)
            CROSS JOIN LATERAL (
                SELECT x.sub FROM entries x WHERE x.key = t.key AND x.sub > '' ORDER BY x.sub LIMIT t.n
            ) f
        ) front WHERE e.key = front.key AND e.sub = front.sub;
    END IF;
    IF cardinality(_d_key) > 0 THEN
        DELETE FROM entries e USING unnest(_d_key, _d_sub) d (key, sub)
        WHERE e.key = d.key AND e.sub = d.sub;
    END IF;
    IF cardinality(_h_key) > 0 THEN
        DELETE FROM entries e USING unnest(_h_key) l (key), entries h
        WHERE h.key = l.key AND h.sub = '' AND h.expires_at <= _now AND e.key = l.key;
    END IF;
    IF cardinality(_p_key) > 0 THEN
        INSERT INTO entries (revision, expires_at, key, sub, value)
        SELECT
            CASE WHEN p.index IS NOT NULL AND p.sub IS NOT NULL
                THEN ((incarnation::int8 << 40) | (bases[p.index] + p.draw)) # _flip END,
            p.expires_at, p.key,
            coalesce(p.sub, int8send((_first[p.index] + p.draw) # _flip)),
            p.value
        FROM unnest(_p_key, _p_sub, _p_value, _p_expires, _p_index, _p_draw)
            p (key, sub, value, expires_at, index, draw)
        ON CONFLICT (key, sub) DO UPDATE
        SET revision = excluded.revision, expires_at = excluded.expires_at, value = excluded.value;
    END IF;

    IF _writer IS NOT NULL THEN
        INSERT INTO markers AS m (store, writer, sequence, position, session, incarnation, bases)
        VALUES (_store, _writer, _sequence, _position, _session, incarnation, bases)
        ON CONFLICT (store, writer) DO UPDATE
        SET sequence = excluded.sequence, position = excluded.position, session = excluded.session,
            incarnation = excluded.incarnation, bases = excluded.bases
        WHERE m.sequence < excluded.sequence;
        IF NOT FOUND THEN
            -- The same writer came first, in other groups: judge it anew.
            RAISE EXCEPTION 'the marker was written meanwhile' USING ERRCODE = '40001';
        END IF;
    END IF;
    outcome := 'committed';
END $$;

-- Removes lists of one stripe with keys from `_from` until `_end` that have expired or have no elements, 1,000 lists a
-- step. `next` is where the next step begins.
CREATE FUNCTION statehold_compact_lists(
    _store int4, _epoch int8, _stripe int2, _from bytea, _end bytea, _now int8, OUT expired int8, OUT next bytea
) LANGUAGE plpgsql AS $$
DECLARE
    _looked int8;
    _last bytea;
BEGIN
    expired := 0;
    PERFORM 1 FROM stripes g
    WHERE g.store = _store AND g.stripe = _stripe AND g.epoch = _epoch FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT count(*), (array_agg(h.key ORDER BY h.key DESC))[1] INTO _looked, _last FROM (
        SELECT x.key FROM entries x
        WHERE x.key >= _from AND x.key < _end AND x.sub = '' ORDER BY x.key LIMIT 1000
    ) h;
    IF _looked > 0 THEN
        WITH heads AS (
            SELECT x.key, x.expires_at <= _now AS over FROM entries x
            WHERE x.key >= _from AND x.key <= _last AND x.sub = ''
                AND (x.expires_at <= _now OR NOT EXISTS (
                    SELECT 1 FROM entries y
                    WHERE y.key = x.key AND y.sub > ''))
        ), removed AS (
            DELETE FROM entries e USING heads h WHERE e.key = h.key
        )
        SELECT count(*) FILTER (WHERE h.over) INTO expired FROM heads h;
    END IF;
    IF _looked = 1000 THEN
        next := _last || '\x00';
    END IF;
END $$;
