"""The managed node: two image streams in, fused images and entity labels out.

Threads, and who may touch what:

* The executor's thread runs every callback: subscriptions, the pairing's timer, parameters,
  services, transitions. All of them are in one mutually exclusive group, so that nothing here
  needs a lock, with any executor. While it loads weights it answers nothing else.
* The worker's thread fuses and publishes (`egmt_ros.ros.fusing`, `egmt_ros.ros.job`).
* A thread for each change of the vocabulary or the weights makes the next engine, and hands it
  over in the executor's (`egmt_ros.ros.engine_changes`).
* The diagnostics thread reports in every state, also while the executor is busy configuring.

All timers run on the steady clock: with use_sim_time and no /clock others never fire.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import SetBool

from egmt_ros.errors import ConfigError, EgmtError
from egmt_ros.node_core.parameters import FusionParameters
from egmt_ros.node_core.processing import Engine, EngineFactory, load_engine
from egmt_ros.node_core.steering import check_emphasis
from egmt_ros.pipeline.accounting import FrameAccount, Outcome
from egmt_ros.pipeline.registration.watch import RegistrationWatch
from egmt_ros.ros import qos
from egmt_ros.ros.camera_geometry import CameraGeometry, check_pose_source
from egmt_ros.ros.diagnostics import (
    DiagnosticsBuilder,
    DiagnosticsThread,
    NodeState,
    synchronising_source,
)
from egmt_ros.ros.diagnostics.registration import registration_source
from egmt_ros.ros.engine_changes import Adopted, Base, EngineChanges
from egmt_ros.ros.failures import describe
from egmt_ros.ros.fallback import Fallback
from egmt_ros.ros.fusing import Fusing
from egmt_ros.ros.inputs import Inputs
from egmt_ros.ros.job import Surroundings
from egmt_ros.ros.lifecycle import ExecutorCalls, RCLError, answer_refused_transitions
from egmt_ros.ros.model_slot import Loaded, ModelSlot
from egmt_ros.ros.outputs import Outputs
from egmt_ros.ros.parameter_store import ParameterStore
from egmt_ros.ros.qos_watch import QosWatch
from egmt_ros.ros.recovery import Actions, Recovery
from egmt_ros.ros.reload_service import ReloadService
from egmt_ros.ros.throttle import LogThrottle
from egmt_ros.ros.vocabulary_service import VocabularyService
from egmt_ros.ros.watchdog import Watchdog

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE

# Making another engine takes a second or more, and a process must not end in its middle, seconds.
CHANGE_TIMEOUT = 20.0


class FusionNode(LifecycleNode):
    """Managed node `egmt_fusion`; topics, parameters and states are in docs/.

    Args:
        engine_factory: Called in `configure` with the arguments of `load_engine`.
        node_name: Overridden by the remapping `__node`.
        kwargs: For rclpy.lifecycle.LifecycleNode (context, namespace, parameter_overrides ...).

    Raises:
        ConfigError: a parameter's start value is refused.
    """

    def __init__(
        self,
        *,
        engine_factory: EngineFactory = load_engine,
        node_name: str = "egmt_fusion",
        **kwargs: object,
    ) -> None:
        super().__init__(node_name, **kwargs)
        self._outputs: Outputs | None = None
        self._closed = False
        self._throttle = LogThrottle()
        self._state = NodeState(worker_lives=lambda: self._fusing.alive)
        self._account = FrameAccount()
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._calls = ExecutorCalls(self)
        self._slot = ModelSlot(engine_factory, self._state, self.get_logger())
        self._changes = EngineChanges(self._calls, self._change_base, self._adopt)
        self._fallback = Fallback(
            self._changes, self._slot, lambda: self._parameter_store.current, self.get_logger()
        )
        self._recovery = Recovery(
            self, self._calls, self._steady,
            Actions(
                take_care=self._fallback.take_care,
                deactivate=self._give_up,
                activate=lambda: self.trigger_activate() == SUCCESS,
                may_activate=lambda: self._parameter_store.current.autostart,
            ),
        )
        self._qos_watch = QosWatch(self, self._on_qos_conflict)
        self._inputs = Inputs(
            self, self._account, self._state, self._throttle, self._steady, self._qos_watch
        )
        self._cameras = CameraGeometry(self)
        self._watch = RegistrationWatch()
        self._fusing = Fusing(
            Surroundings(
                account=self._account, state=self._state, inputs=self._inputs.states,
                logger=self.get_logger(), throttle=self._throttle, recovery=self._recovery,
                context_ok=self.context.ok, watch=self._watch,
            ),
            self._cameras.pair,
        )
        try:
            self._parameter_store = ParameterStore(
                self, self._is_configured, self._refuse_parameters, self._on_parameters
            )
        except EgmtError:
            super().destroy_node()
            raise
        for sentence in self._parameter_store.unknown_overrides():
            self.get_logger().warning(sentence)
        answer_refused_transitions(self)
        self._enable_service = self.create_service(SetBool, "~/enable", self._on_enable)
        self._vocabulary_service = VocabularyService(
            self, self._changes, lambda: self._slot.vocabulary_hash
        )
        self._reload_service = ReloadService(self, self._changes, self._slot)
        self._diagnostics_lock = threading.Lock()
        self._diagnostics_publisher = self.create_publisher(
            DiagnosticArray, "/diagnostics", qos.diagnostics()
        )
        self._diagnostics = DiagnosticsBuilder(
            self.get_fully_qualified_name(),
            self._state,
            {side.value: state for side, state in self._inputs.states.items()},
            self._account_by_name,
            lambda side: self._parameter_store.current.diagnostics.expected_rate(side),
        )
        for status in ("thermal input", "visible input", "outputs"):
            self._diagnostics.add(status, self._qos_watch.source(status))
        for side in self._inputs.states:
            self._diagnostics.add(f"{side.value} input", self._inputs.transport_source(side))
        self._diagnostics.add("registration", registration_source(
            lambda: self._parameter_store.current.registration.mode,
            self._cameras.check_received,
            lambda: self._watch.finding,
        ))
        self._diagnostics.add("pairing", synchronising_source(self._state, self._inputs.skew))
        self._diagnostics_thread = DiagnosticsThread(
            self._publish_diagnostics,
            lambda: self._parameter_store.current.diagnostics.period,
            lambda error: self._throttle.warning(
                self.get_logger(), "diagnostics", f"diagnostics not published: {error!r}"
            ),
        )
        self._watchdog = Watchdog(
            self, self._steady, lambda: self._fusing.busy,
            lambda: self._parameter_store.current.diagnostics.stuck_after,
            self._diagnostics_thread.wake,
        )
        for source in (self._watchdog.tell, self._fallback.tell):
            self._diagnostics.add("model", source)
        self._diagnostics_thread.start()
        self._autostart_timer = None
        if self._parameter_store.current.autostart:
            self._autostart_timer = self.create_timer(
                0.01, self._on_autostart, clock=self._steady
            )

    # Life -----------------------------------------------------------------------------------

    @property
    def phase(self) -> str:
        """The state of the life cycle, as ROS names it."""
        return self._state.phase

    def _is_configured(self) -> bool:
        return self._outputs is not None

    def _on_autostart(self) -> None:
        self._autostart_timer.cancel()
        if self._state.phase != "unconfigured":
            return  # someone was faster
        if self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._transition("configuring", "inactive", "unconfigured", self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._transition("activating", "active", "inactive", self._activate, state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._transition("deactivating", "inactive", "active", self._deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._transition("cleaningup", "unconfigured", "inactive", self._release)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._transition("shuttingdown", "finalized", "finalized", self._release)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._transition("errorprocessing", "unconfigured", "finalized", self._release)

    def _transition(
        self, during: str, after: str, otherwise: str, work: Callable[..., None], *arguments: object
    ) -> TransitionCallbackReturn:
        """Do the work of a transition; a failure is told, never raised: rclpy would hide it."""
        self._recovery.cancel()
        self._state.phase = during
        self._state.fault = ""
        try:
            work(*arguments)
        except Exception as error:
            expected = isinstance(error, EgmtError)
            self._state.fault = f"{during} failed: {describe(error)}"
            self._state.phase = otherwise
            trace = "" if expected else "\n" + traceback.format_exc()
            self.get_logger().error(self._state.fault + trace)
            self._diagnostics_thread.wake()
            return FAILURE
        self._state.phase = after
        self._diagnostics_thread.wake()
        return SUCCESS

    def _configure(self) -> None:
        parameters = self._parameter_store.current
        try:
            self._slot.configure(parameters)
            self._outputs = Outputs(self, parameters.output, self._throttle, self._qos_watch)
            self._cameras.follow(parameters.registration)
            self._inputs.subscribe(parameters.input)
        except Exception:
            self._release()
            raise

    def _activate(self, state: LifecycleState) -> None:
        self._fusing.check_free()
        try:
            super().on_activate(state)
            self._outputs.publish_vocabulary(self._slot.model)
            self._fallback.allow()
            self._recovery.begin()
            self._fusing.start(
                self._slot.loaded.engine, self._slot.model, self._parameter_store.current,
                self._outputs,
            )
            self._pair_if_enabled()
        except Exception:
            self._drain()
            super().on_deactivate(state)
            raise

    def _pair_if_enabled(self) -> None:
        if self._state.enabled:
            self._inputs.open(self._parameter_store.current, self._fusing.mailbox)
        else:
            self._inputs.close(Outcome.DISABLED)

    def _deactivate(self, state: LifecycleState) -> None:
        self._drain()
        super().on_deactivate(state)
        self._publish_diagnostics()

    def _give_up(self, reason: str) -> None:
        """Deactivate the node by itself."""
        self.get_logger().error(reason)
        self.trigger_deactivate()
        self._state.fault = reason
        self._publish_diagnostics()

    def _drain(self) -> None:
        """Take no more frames, finish the pair in hand, bring the rest to an outcome."""
        self._inputs.close(Outcome.INACTIVE)
        self._fusing.stop()

    def _release(self) -> None:
        """Back to unconfigured: no frame in flight, no subscription, no publisher, no model."""
        self._drain()
        self._inputs.unsubscribe()
        self._cameras.close()
        if self._outputs is not None:
            self._publish_diagnostics()
            self._outputs.destroy()
            self._outputs = None
        self._slot.release(close=not self._fusing.occupied)
        self._fusing.forget()

    def close(self) -> None:
        """Shut down in order: worker, last diagnostics, publishers. Call it from the thread
        that spins, or after it has ended; calling it again does nothing.
        """
        if self._closed:
            return
        self._closed = True
        if self._state.phase not in ("finalized", "shuttingdown"):
            try:
                self.trigger_shutdown()
            except RCLError:  # without a valid context only our own part is left
                self._release()
                self._state.phase = "finalized"
        self._calls.close()
        self._changes.join(CHANGE_TIMEOUT)
        self._diagnostics_thread.stop()
        if self.context.ok():
            self._publish_diagnostics()
            self._diagnostics_publisher.wait_for_all_acked(Duration(seconds=1.0))

    def destroy_node(self) -> None:
        """Shut down in order (`close`), then as every node."""
        self.close()
        super().destroy_node()

    # Requests -------------------------------------------------------------------------------

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response):
        self._state.enabled = request.data
        if self._state.phase == "active":
            self._pair_if_enabled()
        response.success = True
        response.message = f"{'enabled' if request.data else 'disabled'}, {self._state.phase}"
        self._diagnostics_thread.wake()
        return response

    def _refuse_parameters(self, old: FusionParameters, new: FusionParameters) -> str | None:
        """What only the node can tell to be wrong with new values."""
        loaded = self._slot.loaded
        if loaded is None:
            return None
        try:
            if old.entities.emphasis != new.entities.emphasis:
                check_emphasis(loaded.engine.names, new.entities)
            check_pose_source(new.registration)
        except ConfigError as error:
            return str(error)
        return None

    def _on_parameters(self, old: FusionParameters, new: FusionParameters) -> None:
        """Apply accepted values between two frames."""
        if old.entities.emphasis != new.entities.emphasis:
            emphasis = " ".join(new.entities.emphasis)
            self._state.model = {**self._state.model, "emphasis": emphasis}
        if old.diagnostics != new.diagnostics:
            self._diagnostics_thread.wake()
        seeing = (old.thermal, old.registration) != (new.thermal, new.registration)
        loaded = self._slot.loaded
        if loaded is not None and old.registration != new.registration:
            self._cameras.follow(new.registration)
        if loaded is not None and (seeing or old.entities != new.entities):
            self._fusing.go_on_with(loaded.engine, self._slot.model, new, anew=seeing)
        if old.sync != new.sync:
            self._inputs.pair_by(new.sync)

    def _change_base(self) -> Base:
        """What a change of the engine starts from."""
        loaded, parameters = self._slot.base(), self._parameter_store.current
        warm_up = (parameters.model.warm_up_width, parameters.model.warm_up_height)
        size = self._fusing.size or (warm_up if all(warm_up) else None)
        return Base(loaded, size, parameters)

    def _adopt(self, old: Engine, new: Loaded) -> Adopted:
        """From now on `new` is the engine; `old` is the one that it takes the place of."""
        parameters = self._parameter_store.current
        warnings = self._slot.adopt(old, new, parameters.entities)
        self._diagnostics_thread.wake()
        in_use = self._fusing.go_on_with(new.engine, self._slot.model, parameters)
        return Adopted(in_use, warnings)

    # Diagnostics ----------------------------------------------------------------------------

    def _on_qos_conflict(self, topic: str, sentence: str) -> None:
        self._throttle.warning(self.get_logger(), ("qos", topic), sentence)
        self._diagnostics_thread.wake()

    def _publish_diagnostics(self) -> None:
        with self._diagnostics_lock:
            if self.context.ok():
                stamp = self.get_clock().now().to_msg()
                self._diagnostics_publisher.publish(self._diagnostics.build(stamp))

    def _account_by_name(self) -> dict[str, dict[str, int]]:
        return {side.value: counts for side, counts in self._account.snapshot().items()}
