"""What a configuration has to touch, decided before anything is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from drivers.cmis.application import DataPathRequest, offered, placements
from drivers.cmis.codes import DataPathState
from drivers.cmis.configuration.control_sets import ActiveDataPath, LaneConfig, data_paths_of
from drivers.cmis.errors import ApplicationNotOfferedError, ConfigurationRefusedError
from drivers.cmis.information import Application
from drivers.cmis.wording import host_lanes, lanes_text, media_lanes


@dataclass(frozen=True, slots=True)
class PlannedPath:
    """A data path that is wanted. ``cycled``: its host lanes are held by DPDeinit while it is configured;
    otherwise it runs on, and it is in force already with the same application and lanes."""

    request: DataPathRequest
    application: Application
    host_lanes: tuple[int, ...]
    media_lanes: tuple[int, ...]
    cycled: bool

    @property
    def config(self) -> LaneConfig:
        """What each of its lanes is given."""
        return LaneConfig(self.request.app_sel, self.host_lanes[0] - 1, self.request.explicit)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be touched, as host lanes.

    ``displaced``: data paths in force that go, although not all of their lanes were asked to be freed.
    ``freed``: lanes that end without application. ``freed_by_trigger``: lanes that are given AppSel 0 in a
    trigger of their own: whole data paths in force, of which some lanes may get a new application afterwards.
    ``untouched``: data paths in force that are left alone.
    """

    paths: tuple[PlannedPath, ...]
    displaced: tuple[ActiveDataPath, ...]
    freed: tuple[int, ...]
    freed_by_trigger: tuple[int, ...]
    untouched: tuple[ActiveDataPath, ...]

    @property
    def wanted(self) -> tuple[int, ...]:
        """Lanes of the data paths that are wanted."""
        return _sorted(lane for path in self.paths for lane in path.host_lanes)

    @property
    def cycled(self) -> tuple[int, ...]:
        """Lanes held by DPDeinit meanwhile."""
        lanes = {lane for path in self.paths if path.cycled for lane in path.host_lanes}
        lanes.update(self.freed, self.freed_by_trigger)
        lanes.update(lane for path in self.displaced for lane in path.host_lanes)
        return _sorted(lanes)

    @property
    def running_on(self) -> tuple[int, ...]:
        """Lanes that are configured without being deactivated by the host."""
        return _sorted(lane for path in self.paths if not path.cycled for lane in path.host_lanes)

    @property
    def concerned(self) -> tuple[int, ...]:
        """All lanes that are touched."""
        return _sorted({*self.wanted, *self.cycled})


def make_plan(
    applications: Sequence[Application],
    active: Sequence[LaneConfig],
    states: Sequence[DataPathState],
    requests: Sequence[DataPathRequest],
    free_lanes: Collection[int],
    *,
    displace: bool,
    stepped: bool,
) -> Plan:
    """Decide what is touched.

    ``active``, ``states``: of the 8 host lanes. ``stepped``: the module reconfigures nothing by itself
    (SteppedConfigOnly), so that a data path in force is deactivated by the host as well.

    :raises ValueError: when requests and free lanes claim the same lane twice.
    :raises ApplicationNotOfferedError: for an application, or lanes of it, that the module does not offer,
        and for data paths that it would put on the same media lane.
    :raises ConfigurationRefusedError: when a data path in use would go, and ``displace`` is False.
    """
    in_force = data_paths_of(active)
    paths = []
    for request in requests:
        application, lanes, on_media = _placed(applications, request)
        same = ActiveDataPath(request.app_sel, lanes) in in_force
        state = states[lanes[0] - 1]
        cycled = stepped or not same or state is DataPathState.DPDeactivated
        paths.append(PlannedPath(request, application, lanes, on_media, cycled))
    _refuse_double_use(paths, free_lanes)
    _refuse_shared_media_lanes(paths)
    wanted = {lane for path in paths for lane in path.host_lanes}
    kept = {path.host_lanes: path.request.app_sel for path in paths}
    touched = wanted | set(free_lanes)
    displaced, untouched, freed = [], [], set(free_lanes)
    for old in in_force:
        if touched.isdisjoint(old.host_lanes):
            untouched.append(old)
        elif kept.get(old.host_lanes) == old.app_sel:
            continue
        elif not set(old.host_lanes) <= set(free_lanes):
            displaced.append(old)
            freed.update(set(old.host_lanes) - wanted)
    in_use = [old for old in displaced if states[old.host_lanes[0] - 1] is not DataPathState.DPDeactivated]
    if in_use and not displace:
        raise ConfigurationRefusedError(
            f"{host_lanes(touched)} cannot be configured without taking down "
            f"{'; '.join(_in_use_text(applications, old, states, touched) for old in in_use)}. Ask for that "
            "(displace) or free them first. Nothing was written.",
            _sorted(lane for old in in_use for lane in old.host_lanes if lane in touched),
        )
    by_trigger = {lane for old in in_force if not freed.isdisjoint(old.host_lanes) for lane in old.host_lanes}
    return Plan(tuple(paths), tuple(displaced), _sorted(freed), _sorted(by_trigger), tuple(untouched))


def _placed(
    applications: Sequence[Application], request: DataPathRequest
) -> tuple[Application, tuple[int, ...], tuple[int, ...]]:
    application = next((item for item in applications if item.app_sel == request.app_sel), None)
    if application is None:
        raise ApplicationNotOfferedError(
            f"AppSel {request.app_sel} is not advertised. The module advertises {offered(applications)}. "
            "Nothing was written."
        )
    if not application.host_lanes:
        raise ApplicationNotOfferedError(
            f"AppSel {request.app_sel}, {application.media_interface}: its descriptor gives no number of "
            "host lanes (0: as the interface is defined), so that its lanes are not known. Nothing was "
            "written."
        )
    for placement in placements(application):
        if placement.host_lanes[0] == request.first_host_lane:
            return application, placement.host_lanes, placement.media_lanes
    starts = lanes_text([placement.host_lanes[0] for placement in placements(application)])
    raise ApplicationNotOfferedError(
        f"AppSel {request.app_sel}, {application.media_interface}: a data path of {application.host_lanes} "
        f"host lanes may not begin on host lane {request.first_host_lane}, only on {starts or 'none'}. "
        "Nothing was written."
    )


def _refuse_double_use(paths: Sequence[PlannedPath], free_lanes: Collection[int]) -> None:
    seen: set[int] = set()
    for path in paths:
        double = seen.intersection(path.host_lanes) | set(free_lanes).intersection(path.host_lanes)
        if double:
            raise ValueError(f"{host_lanes(double)} asked for twice")
        seen.update(path.host_lanes)


def _refuse_shared_media_lanes(paths: Sequence[PlannedPath]) -> None:
    # Where no media lane options are advertised the media lanes are inferred: no ground to refuse anything.
    known = [path for path in paths if path.application.media_lane_starts]
    for one, other in combinations(known, 2):
        shared = set(one.media_lanes).intersection(other.media_lanes)
        if shared:
            raise ApplicationNotOfferedError(
                f"the data paths of {_path_text(one)} and of {_path_text(other)} cannot be beside each "
                f"other: by the module's lane assignment options (01h:176-190) both have "
                f"{media_lanes(shared)}. Nothing was written."
            )


def _path_text(path: PlannedPath) -> str:
    application = path.application
    return f"{host_lanes(path.host_lanes)} (AppSel {application.app_sel}, {application.media_interface})"


def _in_use_text(
    applications: Sequence[Application],
    old: ActiveDataPath,
    states: Sequence[DataPathState],
    touched: Collection[int],
) -> str:
    names = {item.app_sel: item.media_interface for item in applications}
    name = names.get(old.app_sel, "not advertised")
    used = sorted(set(old.host_lanes).intersection(touched))
    return (
        f"the data path of {host_lanes(old.host_lanes)} (AppSel {old.app_sel}, {name}), which uses "
        f"{host_lanes(used)} and is in {states[old.host_lanes[0] - 1].name}"
    )


def _sorted(lanes: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(lanes)))
