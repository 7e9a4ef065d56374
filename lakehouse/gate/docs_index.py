"""The index of Data Docs: which runs there are, and whether their results were good.

GX makes objects of each result with all of its checks, 6 ms for each table of each run. The index
needs two facts of it, which its JSON tells.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from great_expectations.render.renderer.site_builder import DefaultSiteIndexBuilder


class RunsIndexBuilder(DefaultSiteIndexBuilder):
    """GX's index with links to all results that are kept, the newest first."""

    def _add_validations_to_index_links(
        self,
        index_links_dict: OrderedDict[str, object],
        validation_and_profiling_result_site_keys: Sequence[Any],
    ) -> None:
        files: Any = self.data_context.validation_results_store.store_backend
        add: Any = self.add_resource_info_to_index_links_dict
        keys = validation_and_profiling_result_site_keys
        for key in sorted(keys, key=lambda key: key.run_id.run_time, reverse=True):
            result = json.loads(files.get(key.to_tuple()))
            add(
                index_links_dict=index_links_dict,
                expectation_suite_name=key.expectation_suite_identifier.name,
                section_name="validations",
                batch_identifier=key.batch_identifier,
                run_id=key.run_id,
                validation_success=result["success"],
                run_time=key.run_id.run_time,
                run_name=key.run_id.run_name,
                asset_name=result["meta"]["active_batch_definition"]["data_asset_name"],
                batch_kwargs={},
                batch_spec={},
            )
