// Made by `npm run types` of openapi.json, 9ed99e310fd58035a7c07b87d3fb0b1fdc29354be6ddf220a68bfb55b10c5de9

export interface paths {
    "/api/authors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All authors
         * @description By name, at most 1,000; without their e-mail addresses.
         */
        get: operations["authors_api_authors_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/authors/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One author
         * @description By its slug, id or name.
         */
        get: operations["author_api_authors__name__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/caller": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whose key this is
         * @description The key that this request has shown.
         */
        get: operations["caller_api_caller_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/categories": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All categories
         * @description By name, at most 1,000.
         */
        get: operations["categories_api_categories_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/categories/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One category
         * @description By its slug, id or name.
         */
        get: operations["category_api_categories__name__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/media/{task_id}/publish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a post of a picture
         * @description Of one's own, or, with the scope `review`, of any. Asked again it changes nothing.
         *
         *     403: it needs approval, and this is for who reviews it. 409: it was rejected, has failed or was cancelled, or is
         *     published with another text.
         */
        post: operations["publish_api_media__task_id__publish_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/media/generate-image": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Have a picture drawn
         * @description A row of the queue, drawn by the next run. Answers with the picture once it is public, else 202 after `wait`.
         *
         *     A title, or `publish`, asks for a post of it too. 422: it cannot be drawn as it is; 409: the key was used for
         *     something else, or it was cancelled; 500: drawing it has failed as often as may be.
         */
        post: operations["generate_image_api_media_generate_image_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/media/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether pictures are drawn
         * @description By what the queue shows: the GPU may be on another machine. Why, and how much, is for who has a key.
         */
        get: operations["health_api_media_health_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/media/tasks/{task_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How far a picture is
         * @description Of one that was asked for with the key that is shown, or, for the scope `read`, of any.
         */
        get: operations["task_api_media_tasks__task_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/media/tasks/{task_id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What happens to it, as it happens
         * @description Server-sent events: `queued` with its place, and whatever docs/prompts.md has as an event, until one ends it.
         *
         *     The data of the last one is the whole task. Over after ten minutes: come again with `Last-Event-ID`.
         */
        get: operations["events_api_media_tasks__task_id__events_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/posts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Posts, the newest first
         * @description Ordered by the time of publication, or else of creation. A page that is short, or empty, is the last.
         */
        get: operations["posts_api_posts_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/posts/{slug}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One post
         * @description A post that is published; 410 where it was taken down. With a key that has the scope `read`, of any state.
         */
        get: operations["post_api_posts__slug__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/posts/{slug}/around": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The posts beside one in the list
         * @description The next newer and the next older published post, without their text; null at either end of the list.
         */
        get: operations["around_api_posts__slug__around_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/posts/{slug}/picture": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * About the picture of a post
         * @description How it was made, when, and on what terms it may be used; 404 where it is none that was drawn here.
         */
        get: operations["picture_api_posts__slug__picture_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sitemap": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All chunks
         * @description The chunks of all published posts, the oldest first, with how many posts each has. Of the last ten minutes.
         */
        get: operations["sitemap_api_sitemap_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sitemap/{chunk}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The posts of a chunk
         * @description At most 20,000, the oldest first, as they are at this moment.
         */
        get: operations["sitemap_chunk_api_sitemap__chunk__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Audit
         * @description Compare bucket and database both ways and say what is amiss; changes nothing without `fix`. One at a time.
         */
        post: operations["audit_api_studio_audit_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/doctor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Doctor
         * @description Try everything but drawing, as `glad doctor --quick --json`. One at a time, five minutes at most.
         *
         *     The job's `result`: the worst `level`, and `checks`, each with its level, text and cure.
         */
        post: operations["doctor_api_studio_doctor_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/images": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Images
         * @description Pictures of the catalogue, the newest first, each with its newest prompt.
         */
        get: operations["list_images_api_studio_images_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/images/{image_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show Image
         * @description One picture with all that is known of it: recipe, provenance, objects, its prompts, its posts, who was told.
         */
        get: operations["show_image_api_studio_images__image_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/images/{image_id}/file": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show File
         * @description The picture itself, read from the store: also of one that no visitor may see yet.
         */
        get: operations["show_file_api_studio_images__image_id__file_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/images/allow": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Allow Image
         * @description Let a picture that was taken down be drawn again.
         */
        post: operations["allow_image_api_studio_images_allow_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/images/delete": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Delete Image
         * @description Remove a picture for good; posts made with it are hidden, those that it illustrated show what they did before.
         */
        post: operations["delete_image_api_studio_images_delete_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/images/redraw": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Redraw Pictures
         * @description Have the pictures of these prompts, which are published or ready, drawn anew, as the settings of today would.
         */
        post: operations["redraw_pictures_api_studio_images_redraw_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/images/redraw-stale": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Redraw Stale
         * @description Find published pictures that the settings of today would draw in another way, and have those drawn anew.
         *
         *     The job's `result`: how many are `stale`, `requeued`, `not_drawable`; `prompts` and `refused` name the first 1,000.
         */
        post: operations["redraw_stale_api_studio_images_redraw_stale_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/images/reproduce": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reproduce Image
         * @description Draw a picture again from its record and compare, as `glad reproduce --json`. One at a time, 15 minutes at most.
         *
         *     The job's `result`: `bit_equal`, or `difference` with how much, and which components are others today.
         */
        post: operations["reproduce_image_api_studio_images_reproduce_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Jobs
         * @description Long works, the newest first: what goes on in this process, and of the last 50 that have ended, but for their
         *     results: `jobs/{id}` has that. Others' need admin.
         */
        get: operations["list_jobs_api_studio_jobs_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/jobs/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show Job
         * @description One of them: how far it is, or its result.
         */
        get: operations["show_job_api_studio_jobs__job_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Api Keys
         * @description All keys, the newest last; never their texts.
         */
        get: operations["list_api_keys_api_studio_keys_get"];
        put?: never;
        /**
         * Make Api Key
         * @description Make a key, which ends with the caller's own at the latest. Its text is in this answer, and nowhere else.
         */
        post: operations["make_api_key_api_studio_keys_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/keys/revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Revoke Api Key
         * @description Have a key open nothing any more, nor the keys that it has made, nor the sessions that were opened with them.
         */
        post: operations["revoke_api_key_api_studio_keys_revoke_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/keys/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rotate Api Key
         * @description Give the caller's own key, or one that it has made, another secret, which is in this answer and nowhere else.
         */
        post: operations["rotate_api_key_api_studio_keys_rotate_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/options": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show Options
         * @description The model, its presets and sizes, the limits of each field, and the blog's categories, tags and authors.
         */
        get: operations["show_options_api_studio_options_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/outbox": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Messages
         * @description Messages, the newest first.
         */
        get: operations["list_messages_api_studio_outbox_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/outbox/deliver": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deliver
         * @description Deliver what waits, now, also what waits for its next try.
         */
        post: operations["deliver_api_studio_outbox_deliver_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/outbox/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retry Messages
         * @description Let dead messages be delivered again, with all attempts before them.
         */
        post: operations["retry_messages_api_studio_outbox_retry_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/posts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Posts
         * @description The posts that this pipeline has made or illustrated, in whatever state, those of the newest prompts first.
         */
        get: operations["list_posts_api_studio_posts_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/posts/unpublish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Unpublish
         * @description Hide a post, remove its picture for good unless that is kept, and tell the site and the CDN.
         */
        post: operations["unpublish_api_studio_posts_unpublish_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/prompts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Prompts
         * @description Prompts, the newest first. What each became in full has `GET /api/studio/prompts/{id}`.
         */
        get: operations["list_prompts_api_studio_prompts_get"];
        put?: never;
        /**
         * Add Prompt
         * @description Ask for a picture. The same `idempotency_key` or `task_id`, or without them the same fields, is one prompt.
         *
         *     409: it is one that somebody else has asked for, and the key may not read it.
         */
        post: operations["add_prompt_api_studio_prompts_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/prompts/{prompt_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show Prompt
         * @description One prompt with all that is known of it: where it stands, what happened to it, its picture with recipe and
         *     provenance, the stored objects, its post, and who was told.
         */
        get: operations["show_prompt_api_studio_prompts__prompt_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Edit Prompt
         * @description Change a prompt that is not published yet: with another text or recipe its picture is drawn (again).
         *
         *     403: it needs approval, and this is for who reviews it. A problem 409 has `now`: the fields that somebody else has
         *     changed meanwhile, as they are.
         */
        patch: operations["edit_prompt_api_studio_prompts__prompt_id__patch"];
        trace?: never;
    };
    "/api/studio/prompts/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Add Prompts
         * @description Ask for several pictures. One that is refused keeps no other from the queue.
         */
        post: operations["add_prompts_api_studio_prompts_batch_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/prompts/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel Prompts
         * @description Take prompts out of the queue before they are published, or once their post is gone.
         */
        post: operations["cancel_prompts_api_studio_prompts_cancel_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/prompts/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check Prompt
         * @description What would become of this prompt; nothing is written. 200 also where it would be refused: see `is_possible`.
         */
        post: operations["check_prompt_api_studio_prompts_check_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/prompts/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Import Prompts
         * @description Put every row of a file into the queue, or none if one is wrong.
         *
         *     CSV, TSV, JSONL, JSON or text, of at most 8 MB and 100,000 rows. The same file twice adds nothing.
         *     A problem 422 has `rows`: the first that are wrong, each with its reason; and `columns`: all that are no fields.
         *     Rows without a source get the name of the key as theirs.
         */
        post: operations["import_prompts_api_studio_prompts_import_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/prompts/priority": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Set Priority
         * @description Have prompts drawn sooner, or later, than others.
         */
        post: operations["set_priority_api_studio_prompts_priority_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/prompts/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retry Prompts
         * @description Put failed, rejected or cancelled prompts back into the queue, with all attempts before them.
         *
         *     Of `all_failed` the answer has only how many there were.
         */
        post: operations["retry_prompts_api_studio_prompts_retry_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/queue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show Queue
         * @description How many prompts are in each state, what is paused, and what each source has waiting, with its limits.
         */
        get: operations["show_queue_api_studio_queue_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/queue/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Limit Source
         * @description Limit what a source may put into the queue: more is refused, by whatever way it comes. Answers all sources.
         */
        post: operations["limit_source_api_studio_queue_limits_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/queue/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause
         * @description Let runs finish the batch in hand and begin no more; what is drawn is published. Until `resume`.
         */
        post: operations["pause_api_studio_queue_pause_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/queue/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume
         * @description End a pause.
         */
        post: operations["resume_api_studio_queue_resume_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/review": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Waiting
         * @description Pictures that wait for a person, with previews, those first that were asked for first.
         */
        get: operations["list_waiting_api_studio_review_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/review/approve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Approve
         * @description Let pictures that wait for approval be published.
         */
        post: operations["approve_api_studio_review_approve_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/review/discard": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Discard
         * @description Put aside pictures that were asked for alone: no post is made of them.
         */
        post: operations["discard_api_studio_review_discard_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/review/publish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Publish
         * @description Make posts of pictures that were asked for alone.
         */
        post: operations["publish_api_studio_review_publish_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/review/redraw": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Redraw
         * @description Have pictures drawn again with another seed. What needs approval waits for it again.
         */
        post: operations["redraw_api_studio_review_redraw_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/review/reject": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reject
         * @description Refuse pictures that wait for approval. The reason is kept with each prompt.
         */
        post: operations["reject_api_studio_review_reject_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Runs
         * @description Runs that are alive, and what those of the last week have done with prompts, the latest first.
         */
        get: operations["list_runs_api_studio_runs_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/studio/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who is logged in
         * @description The session that the cookie is of, with its CSRF token.
         */
        get: operations["look_api_studio_session_get"];
        put?: never;
        /**
         * Log in with a key
         * @description A cookie for the browser, and the CSRF token. Ends after half a day, with the key, or by logging out.
         */
        post: operations["log_in_api_studio_session_post"];
        /**
         * Log out
         * @description The session opens nothing any more.
         */
        delete: operations["log_out_api_studio_session_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tags": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All tags
         * @description By name, at most 1,000.
         */
        get: operations["tags_api_tags_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tags/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One tag
         * @description By its slug, id or name.
         */
        get: operations["tag_api_tags__name__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process lives
         * @description It does, if this is answered.
         */
        get: operations["healthz_healthz_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/images/{key}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A picture of a volume
         * @description `generated/ab/abcd….png`, its thumbnail and its renditions, where pictures are kept in a folder.
         */
        get: operations["image_images__key__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Figures for Prometheus
         * @description Queue, outbox, events of prompts, and the requests of this process.
         */
        get: operations["metrics_metrics_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether requests can be answered
         * @description The database answers within a second, and has the tables of this version.
         */
        get: operations["readyz_readyz_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** AboutAnswer */
        AboutAnswer: {
            data: components["schemas"]["AboutPicture"];
        };
        /**
         * AboutPicture
         * @description What readers may want to know of a generated picture.
         */
        AboutPicture: {
            /** Alt */
            alt: string | null;
            /**
             * Credit
             * @description GLAD_PICTURE_CREDIT
             * @example Example Blog, by a model
             */
            credit: string | null;
            /**
             * Digital Source Type
             * @description The IPTC's word for it
             * @example http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia
             */
            digital_source_type: string;
            /**
             * Drawn At
             * Format: date-time
             */
            drawn_at: string;
            /** Height */
            height: number;
            /**
             * Is Generated
             * @constant
             */
            is_generated: true;
            /**
             * License
             * @description GLAD_PICTURE_LICENSE, an address
             * @example https://creativecommons.org/licenses/by/4.0/
             */
            license: string | null;
            /**
             * License Name
             * @description GLAD_PICTURE_LICENSE_NAME
             * @example CC BY 4.0
             */
            license_name: string | null;
            model: components["schemas"]["ModelName"];
            /**
             * Prompt
             * @description null unless GLAD_SHOW_PROMPTS is on
             */
            prompt: string | null;
            /**
             * Url
             * @example https://cdn.example.com/generated/ab/abababababababababababababababab.png
             */
            url: string;
            /** Width */
            width: number;
        };
        /**
         * AllKeys
         * @description All keys there are.
         */
        AllKeys: {
            /** Data */
            data: components["schemas"]["ApiKey"][];
        };
        /**
         * Allowed
         * @description A recipe that may be drawn again.
         */
        Allowed: {
            /**
             * Prompts
             * @description those that could be tried again now
             */
            prompts: number[];
            /** Recipe Hash */
            recipe_hash: string;
            /** Was Blocked */
            was_blocked: boolean;
        };
        /** Answer[Allowed] */
        Answer_Allowed_: {
            data: components["schemas"]["Allowed"];
        };
        /** Answer[AskedFor] */
        Answer_AskedFor_: {
            data: components["schemas"]["AskedFor"];
        };
        /** Answer[Checked] */
        Answer_Checked_: {
            data: components["schemas"]["Checked"];
        };
        /** Answer[Edit] */
        Answer_Edit_: {
            data: components["schemas"]["Edit"];
        };
        /** Answer[ImageLineage] */
        Answer_ImageLineage_: {
            data: components["schemas"]["ImageLineage"];
        };
        /** Answer[Lineage] */
        Answer_Lineage_: {
            data: components["schemas"]["Lineage"];
        };
        /** Answer[list[Job]] */
        Answer_list_Job__: {
            /** Data */
            data: components["schemas"]["Job"][];
        };
        /** Answer[list[Run]] */
        Answer_list_Run__: {
            /** Data */
            data: components["schemas"]["Run"][];
        };
        /** Answer[list[Source]] */
        Answer_list_Source__: {
            /** Data */
            data: components["schemas"]["Source"][];
        };
        /** Answer[MadeKey] */
        Answer_MadeKey_: {
            data: components["schemas"]["MadeKey"];
        };
        /** Answer[Options] */
        Answer_Options_: {
            data: components["schemas"]["Options"];
        };
        /** Answer[Paused] */
        Answer_Paused_: {
            data: components["schemas"]["Paused"];
        };
        /** Answer[Queue] */
        Answer_Queue_: {
            data: components["schemas"]["Queue"];
        };
        /**
         * ApiKey
         * @description One key as it is kept: never the key itself.
         */
        ApiKey: {
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Expires At */
            expires_at: string | null;
            /** Id */
            id: number;
            /** Last Used At */
            last_used_at: string | null;
            /** Made By */
            made_by: number | null;
            /** Name */
            name: string;
            /** Old Until */
            old_until: string | null;
            /** Revoked At */
            revoked_at: string | null;
            /** Scopes */
            scopes: string[];
        };
        /**
         * Around
         * @description The neighbours of a post in the list.
         */
        Around: {
            /** @description null: it is the newest */
            newer: components["schemas"]["PostSummary"] | null;
            /** @description null: it is the oldest */
            older: components["schemas"]["PostSummary"] | null;
        };
        /** AroundAnswer */
        AroundAnswer: {
            data: components["schemas"]["Around"];
        };
        /**
         * AskedFor
         * @description A prompt that is in the queue.
         */
        AskedFor: {
            /** Id */
            id: number;
            /** Is New */
            is_new: boolean;
            /** Notices */
            notices: string[];
            prompt: components["schemas"]["PromptDetails"] | null;
        };
        /** Attributes */
        Attributes: {
            /**
             * Alternativetext
             * @example Fishing boats in a harbour at dawn
             */
            alternativeText: string | null;
            /**
             * Url
             * @description The picture of the post; null: it has none
             * @example https://cdn.example.com/generated/ab/abababababababababababababababab.png
             */
            url: string | null;
        };
        /**
         * Audit
         * @description How it looks, and whether it mends; as `glad audit`.
         */
        Audit: {
            /**
             * At Most
             * @description with fix: how many pictures and objects may be moved where it is over a tenth
             */
            at_most?: number | null;
            /**
             * Deep
             * @description read pictures and renditions whole, compare their SHA-256
             * @default false
             */
            deep: boolean;
            /**
             * Fix
             * @description mend what can be mended safely
             * @default false
             */
            fix: boolean;
            /**
             * Grace Seconds
             * @description younger objects are spared
             * @default 3600
             */
            grace_seconds: number;
            /**
             * Urls
             * @description visit published pictures by their addresses; null: as the settings say
             */
            urls?: ("all" | "sample" | "none") | null;
        };
        /** Author */
        Author: {
            /** Avatar Url */
            avatar_url: string | null;
            /** Bio */
            bio: string | null;
            /** Created At */
            created_at: string | null;
            /** Id */
            id: string | number;
            /**
             * Name
             * @example Ada Writer
             */
            name: string;
            /**
             * Posts
             * @description Published posts, of the last ten minutes; null: the blog does not keep it, or they are too many to count
             * @example 12
             */
            posts: number | null;
            /** Slug */
            slug: string | null;
        };
        /** AuthorAnswer */
        AuthorAnswer: {
            data: components["schemas"]["Author"];
        };
        /** Authors */
        Authors: {
            /** Data */
            data: components["schemas"]["Author"][];
        };
        /**
         * Batch
         * @description Prompts, each for itself. Files of more: `POST /api/studio/prompts/import`.
         */
        Batch: {
            /** Prompts */
            prompts: components["schemas"]["PromptAsked"][];
        };
        /**
         * BatchOutcomes
         * @description What became of each, in the order of the batch.
         */
        BatchOutcomes: {
            /** Data */
            data: components["schemas"]["OfBatch"][];
            /** Meta */
            meta: {
                [key: string]: number;
            };
        };
        /**
         * Blog
         * @description What a post may be filed under; what the blog has no table for is empty.
         */
        Blog: {
            /** Authors */
            authors: components["schemas"]["Named"][];
            /** Categories */
            categories: components["schemas"]["Named"][];
            /** Tags */
            tags: components["schemas"]["Named"][];
        };
        /**
         * Bounds
         * @description A number's, both included.
         */
        Bounds: {
            /** High */
            high: number;
            /** Low */
            low: number;
            /** Step */
            step?: number | null;
        };
        /**
         * CataloguedImage
         * @description A row of `images`.
         */
        CataloguedImage: {
            /** Bytes */
            bytes: number;
            /** Content Type */
            content_type: string;
            /** Contrast */
            contrast: number | null;
            /** Height */
            height: number;
            /** Id */
            id: number;
            /** Key */
            key: string;
            /** Model */
            model: string;
            /** Model Revision */
            model_revision: string;
            /** Pixels Sha256 */
            pixels_sha256: string | null;
            /** Placeholder */
            placeholder: string | null;
            /** Provenance */
            provenance: {
                [key: string]: unknown;
            };
            /** Recipe */
            recipe: {
                [key: string]: unknown;
            };
            /** Recipe Hash */
            recipe_hash: string;
            /** Removed At */
            removed_at: string | null;
            /** Seconds */
            seconds: number | null;
            /** Sha256 */
            sha256: string;
            /** Thumbnail Key */
            thumbnail_key: string | null;
            /** Thumbnail Url */
            thumbnail_url: string | null;
            /** Url */
            url: string;
            /**
             * Verified At
             * Format: date-time
             */
            verified_at: string;
            /** Width */
            width: number;
        };
        /**
         * Change
         * @description An edit.
         */
        Change: {
            /**
             * Expected
             * @description fields as the editor has seen them: where one is another by now, nothing is changed (409)
             * @example {}
             */
            expected?: {
                [key: string]: unknown;
            };
            /**
             * @description those to be set; null: to the default
             * @example {
             *       "title": "Dawn"
             *     }
             */
            fields: components["schemas"]["PromptFields"];
        };
        /**
         * Checked
         * @description What there is to say of it.
         */
        Checked: {
            /** Is Possible */
            is_possible: boolean;
            /** Problems */
            problems: string[];
            /** Texts */
            texts: components["schemas"]["CheckedText"][];
            /** Warnings */
            warnings: string[];
            would_be: components["schemas"]["WouldBe"] | null;
        };
        /**
         * CheckedText
         * @description How long a text is for the model.
         */
        CheckedText: {
            /** Encoders */
            encoders: number[];
            /** Field */
            field: string;
            /** Is Estimate */
            is_estimate: boolean;
            /** Most Pieces */
            most_pieces: number;
            /** Of */
            of: number;
            /** Pieces */
            pieces: number;
            /** Tokens */
            tokens: number;
        };
        /**
         * ChunkEntry
         * @description A part of all published posts.
         */
        ChunkEntry: {
            /**
             * Chunk
             * @example 2026-03
             */
            chunk: string;
            /**
             * Posts
             * @example 19500
             */
            posts: number;
        };
        /**
         * Counts
         * @description Of a page.
         */
        Counts: {
            /**
             * After
             * @description for the next page; null: this is the last
             */
            after: number | null;
        };
        /** CoverImage */
        CoverImage: {
            data: components["schemas"]["Data"];
        };
        /** Data */
        Data: {
            attributes: components["schemas"]["Attributes"];
        };
        /**
         * Decided
         * @description Which are meant.
         */
        Decided: {
            /**
             * Prompts
             * @example [
             *       {
             *         "id": 17,
             *         "image_id": 9
             *       }
             *     ]
             */
            prompts: components["schemas"]["Picture-Input"][];
        };
        /**
         * DeleteImage
         * @description Which picture is taken down, and why.
         */
        DeleteImage: {
            /**
             * Image
             * @description its id, key, URL or recipe hash
             * @example 17
             */
            image: string;
            /** Reason */
            reason: string;
        };
        /**
         * Discarded
         * @description Which pictures are put aside.
         */
        Discarded: {
            /**
             * Delete Picture
             * @description take the pictures down for good; this is for the scope admin
             * @default false
             */
            delete_picture: boolean;
            /**
             * Prompts
             * @example [
             *       {
             *         "id": 17,
             *         "image_id": 9
             *       }
             *     ]
             */
            prompts: components["schemas"]["Picture-Input"][];
            /**
             * Reason
             * @default not wanted
             */
            reason: string;
        };
        /**
         * Drawing
         * @description Its place in the batch that is drawn now.
         */
        Drawing: {
            /** Of */
            of: number;
            /** Picture */
            picture: number;
        };
        /**
         * Edit
         * @description What an edit did.
         */
        Edit: {
            /** Changed */
            changed: string[];
            /** Redrawn */
            redrawn: boolean;
            /** Status */
            status: string;
        };
        /**
         * Event
         * @description Something that happened to a prompt.
         */
        Event: {
            /** Actor */
            actor?: string | null;
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Detail */
            detail?: string | null;
            /** Event */
            event: string;
            /** Run Id */
            run_id?: string | null;
        };
        /**
         * FieldLimits
         * @description What the fields of a prompt may hold.
         */
        FieldLimits: {
            /** Chars */
            chars: {
                [key: string]: number;
            };
            guidance_scale: components["schemas"]["Bounds"];
            /** Most Pixels */
            most_pixels: number;
            num_inference_steps: components["schemas"]["Bounds"];
            priority: components["schemas"]["Bounds"];
            /** Reason Chars */
            reason_chars: number;
            seed: components["schemas"]["Bounds"];
            side: components["schemas"]["Bounds"];
        };
        /**
         * Finding
         * @description What a gate has found of a picture.
         */
        Finding: {
            /** Detail */
            detail: string;
            /** Gate */
            gate: string;
            /** Passed */
            passed: boolean;
        };
        /**
         * GalleryImage
         * @description A picture, with its newest prompt: one that is published goes first.
         */
        GalleryImage: {
            /** Category */
            category: string | null;
            /**
             * Drawn At
             * Format: date-time
             */
            drawn_at: string;
            /** Id */
            id: number;
            /** Key */
            key: string;
            /** Model */
            model: string;
            picture: components["schemas"]["Preview"] | null;
            /** Post Id */
            post_id: string | null;
            /** Post Path */
            post_path: string | null;
            /** Preset */
            preset: string | null;
            /** Prompt */
            prompt: string;
            /** Prompt Id */
            prompt_id: number | null;
            /** Prompt Status */
            prompt_status: string | null;
            /** Removed At */
            removed_at: string | null;
            /** Removed Reason */
            removed_reason: string | null;
            /** Seconds */
            seconds: number | null;
            /** Seed */
            seed: number | null;
            /**
             * State
             * @enum {string}
             */
            state: "published" | "ready" | "waiting" | "unused" | "removed";
            /** Title */
            title: string | null;
        };
        /**
         * GateChoice
         * @description What a picture has to pass before it is stored.
         */
        GateChoice: {
            /** Meaning */
            meaning: string;
            /** Name */
            name: string;
        };
        /**
         * Health
         * @description That all is well.
         */
        glad_pipeline__gateway__health__Health: {
            /** Status */
            status: string;
        };
        /**
         * Health
         * @description Whether pictures are drawn.
         */
        glad_pipeline__gateway__media__Health: {
            /** Message */
            message: string;
            /**
             * Pexels Available
             * @default false
             * @constant
             */
            pexels_available: false;
            /** Sdxl Available */
            sdxl_available: boolean;
            /**
             * Status
             * @enum {string}
             */
            status: "healthy" | "paused" | "stalled";
        };
        /**
         * Picture
         * @description A picture that is there.
         */
        glad_pipeline__gateway__media__Picture: {
            /**
             * Generation Time
             * @description Seconds of drawing; null: not known.
             */
            generation_time: number | null;
            /** Id */
            id: number;
            image: components["schemas"]["Image"];
            /** Image Url */
            image_url: string;
            links: components["schemas"]["Links"];
            /** Message */
            message: string;
            /**
             * Notices
             * @description What of the request has no effect, or another one than it seems.
             */
            notices: string[];
            /**
             * Post
             * @description The path of its post on the site.
             */
            post: string | null;
            /**
             * Success
             * @default true
             * @constant
             */
            success: true;
        };
        /**
         * Picture
         * @description What `<picture>` and `<img>` need. The formats stand in the order in which a browser is to be offered them.
         */
        glad_pipeline__gateway__post_models__Picture: {
            /**
             * Alt
             * @description What is to be seen, for who cannot see it
             */
            alt: string | null;
            /** Height */
            height: number | null;
            /**
             * Placeholder
             * @description A data URI, to be shown while the picture loads
             */
            placeholder: string | null;
            /**
             * Sizes
             * @description What `sizes` may say where the page knows no better
             * @example auto, 100vw
             */
            sizes: string;
            /**
             * Srcset
             * @description By format; empty: there are no smaller copies
             * @example {
             *       "avif": "https://cdn.example.com/generated/ab/abababababababababababababababab-w800.avif 800w",
             *       "webp": "https://cdn.example.com/generated/ab/abababababababababababababababab-w800.webp 800w"
             *     }
             */
            srcset: {
                [key: string]: string;
            };
            /**
             * Url
             * @example https://cdn.example.com/generated/ab/abababababababababababababababab.png
             */
            url: string;
            /**
             * Width
             * @description Pixels; null: nothing is noted of this picture
             */
            width: number | null;
        };
        /**
         * Answer
         * @description The session.
         */
        glad_pipeline__gateway__studio_session__Answer: {
            data: components["schemas"]["Opened"];
        };
        /**
         * Answer
         * @description Who calls.
         */
        glad_pipeline__gateway__whoami__Answer: {
            data: components["schemas"]["Known"];
        };
        /** HTTPValidationError */
        HTTPValidationError: {
            /** Detail */
            detail?: components["schemas"]["ValidationError"][];
        };
        /**
         * Ids
         * @description Which are meant.
         */
        Ids: {
            /**
             * Ids
             * @example [
             *       17,
             *       18
             *     ]
             */
            ids: number[];
        };
        /**
         * IllustratedPost
         * @description A post, and the last prompt whose picture it got.
         */
        IllustratedPost: {
            /** Image Id */
            image_id: number | null;
            /** Image Thumbnail Url */
            image_thumbnail_url: string | null;
            /** Image Url */
            image_url: string | null;
            /** Made */
            made: boolean;
            /** Path */
            path: string | null;
            /** Post Id */
            post_id: string | number;
            /** Prompt Id */
            prompt_id: number;
            /** Prompt Status */
            prompt_status: string;
            /** Published At */
            published_at: string | null;
            /** Shows */
            shows: string | null;
            /** Slug */
            slug: string | null;
            /** Status */
            status: string;
            /** Taken Down At */
            taken_down_at: string | null;
            /** Title */
            title: string | null;
        };
        /**
         * Image
         * @description A picture that is public.
         */
        Image: {
            /**
             * Alt Text
             * @description What was asked for; not what was drawn.
             */
            alt_text: string;
            /** Height */
            height: number;
            /**
             * Photographer
             * @description The model that has drawn it.
             */
            photographer: string;
            /** Photographer Url */
            photographer_url?: string | null;
            /**
             * Source
             * @description Always `sdxl`: no stock photo is ever given.
             */
            source: string;
            /**
             * Thumbnail
             * @description At most 256 pixels; a smaller picture's is itself.
             */
            thumbnail: string;
            /**
             * Url
             * @example https://cdn.example.com/generated/ab/abcd.png
             */
            url: string;
            /**
             * Width
             * @description Pixels, measured.
             */
            width: number;
        };
        /**
         * ImageLineage
         * @description A picture with all that is known of it.
         */
        ImageLineage: {
            image: components["schemas"]["CataloguedImage"];
            /** Messages */
            messages: components["schemas"]["MessageStatus"][];
            picture: components["schemas"]["Preview"] | null;
            /** Posts */
            posts: components["schemas"]["ImagePost"][];
            /** Prompts */
            prompts: components["schemas"]["ImagePrompt"][];
            /** Renditions */
            renditions: components["schemas"]["StoredRendition"][];
        };
        /**
         * ImagePost
         * @description A post that a picture was published on, as the blog has it now.
         */
        ImagePost: {
            /** Path */
            path: string;
            /** Post Id */
            post_id: string;
            /** Shows */
            shows: string | null;
            /** Slug */
            slug: string;
            /** Status */
            status: string;
            /** Title */
            title: string | null;
        };
        /**
         * ImagePrompt
         * @description A prompt that has a picture.
         */
        ImagePrompt: {
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Id */
            id: number;
            /** Post Id */
            post_id: string | null;
            /** Prompt */
            prompt: string;
            /** Published At */
            published_at: string | null;
            /** Source */
            source: string;
            /** Status */
            status: string;
            /** Title */
            title: string | null;
        };
        /**
         * ImageRequest
         * @description A picture to be drawn. Only `prompt` is required; docs/prompts.md has the columns.
         * @example {
         *       "prompt": "AI gaming NPCs futuristic",
         *       "task_id": "blog-post-123",
         *       "use_generation": true
         *     }
         */
        ImageRequest: {
            /** Alt Text */
            alt_text?: string | null;
            /** Author */
            author?: string | null;
            /** Category */
            category?: string | null;
            /** Content */
            content?: string | null;
            /** Excerpt */
            excerpt?: string | null;
            /**
             * Focus
             * @description What a crop keeps: `0.5,0.3`, `top left`.
             * @example centre
             */
            focus?: string | null;
            /** Guidance Scale */
            guidance_scale?: number | null;
            /**
             * Height
             * @example 1024
             */
            height?: number | null;
            /**
             * High Quality
             * @description No effect: preset and num_inference_steps say it.
             */
            high_quality?: boolean | null;
            /**
             * Keywords
             * @description No effect: they were for stock photos.
             */
            keywords?: string[] | null;
            /** Lora */
            lora?: string | null;
            /** Model */
            model?: string | null;
            /** Model Revision */
            model_revision?: string | null;
            /** Needs Approval */
            needs_approval?: boolean | null;
            /** Negative Prompt */
            negative_prompt?: string | null;
            /** Num Inference Steps */
            num_inference_steps?: number | null;
            /**
             * Post Id
             * @description An existing post to illustrate.
             * @example null
             */
            post_id?: number | string | null;
            /** Preset */
            preset?: ("base" | "fast" | "refined" | "cfg-cutoff" | "lightning-4" | "lcm-4" | "fp8") | null;
            /**
             * Priority
             * @description Higher first.
             */
            priority?: number | null;
            /** Prompt */
            prompt: string;
            /** Prompt Syntax */
            prompt_syntax?: ("plain" | "a1111") | null;
            /**
             * Publish
             * @description `picture`: no post until somebody asks for it. Absent: `post` if there is a title.
             */
            publish?: ("post" | "picture") | null;
            /**
             * Publish At
             * @description Not to be published before.
             */
            publish_at?: string | null;
            /**
             * Publish To S3
             * @description No effect: every picture is put into the store.
             */
            publish_to_s3?: boolean | null;
            /** Replace */
            replace?: boolean | null;
            /** Scheduler */
            scheduler?: ("euler" | "euler_a" | "dpmpp_2m" | "ddim" | "unipc" | "lcm") | null;
            /** Seed */
            seed?: number | null;
            /** Slug */
            slug?: string | null;
            /**
             * Task Id
             * @description The client's own name of this request: asked again with it, the same is answered. Of a request for a post it is also a task of the blog.
             */
            task_id?: string | null;
            /** Title */
            title?: string | null;
            /**
             * Use Generation
             * @description A picture is always drawn: false is refused.
             */
            use_generation?: true | null;
            /**
             * Use Pexels
             * @description No effect: a stock photo is never given.
             */
            use_pexels?: boolean | null;
            /**
             * Use Refinement
             * @description True: the preset `refined`. False: not that one.
             */
            use_refinement?: boolean | null;
            /**
             * Width
             * @example 1024
             */
            width?: number | null;
        };
        /**
         * ImportAnswer
         * @description An import.
         */
        ImportAnswer: {
            data: components["schemas"]["Imported"];
        };
        /**
         * Imported
         * @description What an import did, or with `dry_run` would do.
         */
        Imported: {
            /**
             * Added
             * @description prompts that are new in the queue
             */
            added: number;
            /**
             * Columns
             * @description names in records that are no fields: rows are refused for them
             */
            columns: string[];
            /**
             * Differing
             * @description of those: the task_id was there with other fields, which were kept
             */
            differing: number;
            /** Dry Run */
            dry_run: boolean;
            /**
             * Existing
             * @description rows that were there already, or that the file repeats
             */
            existing: number;
            /**
             * First
             * @description with `dry_run`: the first rows
             */
            first: components["schemas"]["RowSeen"][];
            /**
             * Noticed
             * @description what in rows is drawn in another way than it seems to be meant
             */
            noticed: string[];
            /**
             * Read
             * @description how the file was read, where that is not as plain as can be
             */
            read: string[];
            /**
             * Reasons
             * @description the first of those
             */
            reasons: components["schemas"]["RowRefused"][];
            /**
             * Refused
             * @description rows that are wrong: left out with `skip_bad`, else nothing would be imported
             */
            refused: number;
        };
        /**
         * Job
         * @description One of them, as it is shown.
         */
        Job: {
            /** By */
            by: string;
            /** Ended At */
            ended_at?: string | null;
            /** Id */
            id: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "audit" | "redraw" | "deliver" | "takedown" | "reproduce" | "doctor";
            /** Problem */
            problem?: string | null;
            /** Progress */
            progress?: string | null;
            /** Result */
            result?: unknown;
            /**
             * Started At
             * Format: date-time
             */
            started_at: string;
            /**
             * State
             * @enum {string}
             */
            state: "running" | "done" | "failed";
            /** Status */
            status?: number | null;
        };
        /**
         * JobAnswer
         * @description A long work: its end, or how far it is.
         */
        JobAnswer: {
            data: components["schemas"]["Job"];
        };
        /**
         * KeyName
         * @description Which key.
         */
        KeyName: {
            /**
             * Name
             * @description prompts asked for with it have it as their source
             * @example site
             */
            name: string;
        };
        /**
         * Known
         * @description The key that was shown.
         */
        Known: {
            /** Name */
            name: string;
            /** Scopes */
            scopes: string[];
        };
        /** Label */
        Label: {
            /** Created At */
            created_at: string | null;
            /** Description */
            description: string | null;
            /** Id */
            id: string | number;
            /**
             * Name
             * @example Technology
             */
            name: string;
            /**
             * Posts
             * @description Published posts, of the last ten minutes; null: the blog does not keep it, or they are too many to count
             * @example 12
             */
            posts: number | null;
            /**
             * Slug
             * @example technology
             */
            slug: string | null;
            /** Updated At */
            updated_at: string | null;
        };
        /** LabelAnswer */
        LabelAnswer: {
            data: components["schemas"]["Label"];
        };
        /** Labels */
        Labels: {
            /** Data */
            data: components["schemas"]["Label"][];
        };
        /**
         * Limits
         * @description What a source may put into the queue; null: any number; absent: as it is.
         */
        Limits: {
            /**
             * Daily
             * @description prompts that may be added in 24 hours
             */
            daily?: number | null;
            /**
             * Queued
             * @description prompts that may wait at once
             */
            queued?: number | null;
            /**
             * Source
             * @description '*': every source without limits of its own
             * @example newsletter
             */
            source: string;
        } | unknown | unknown;
        /**
         * Lineage
         * @description The same with its picture as the catalogue knows it, and who was told of picture and post.
         */
        Lineage: {
            /** History */
            history: components["schemas"]["Event"][];
            image: components["schemas"]["CataloguedImage"] | null;
            /** Messages */
            messages: components["schemas"]["MessageStatus"][];
            /** Notices */
            notices: string[];
            prompt: components["schemas"]["PromptDetails"];
            /** Renditions */
            renditions: components["schemas"]["StoredRendition"][];
            /** Stands */
            stands: string | null;
        };
        /**
         * Links
         * @description Where to ask on.
         */
        Links: {
            /**
             * Events
             * @description Server-sent events.
             * @example /api/media/tasks/17/events
             */
            events: string;
            /**
             * Task
             * @example /api/media/tasks/17
             */
            task: string;
        };
        /**
         * ListedPost
         * @description A post of the list.
         */
        ListedPost: {
            author: components["schemas"]["Named"] | null;
            /** Author Id */
            author_id: string | number | null;
            category: components["schemas"]["Named"] | null;
            /** Category Id */
            category_id: string | number | null;
            /**
             * Content
             * @description Markdown, as the blog has it; absent with `fields=summary`
             */
            content?: string | null;
            /**
             * Cover Image Url
             * @description For social networks, 1200 × 630
             */
            cover_image_url: string | null;
            coverImage: components["schemas"]["CoverImage"];
            /** Created At */
            created_at: string | null;
            /** Excerpt */
            excerpt: string | null;
            /** Featured Image Url */
            featured_image_url: string | null;
            /**
             * Id
             * @example 00000000-0000-4000-8000-000000000001
             */
            id: string | number;
            picture: components["schemas"]["glad_pipeline__gateway__post_models__Picture"] | null;
            /** Published At */
            published_at: string | null;
            /** Seo Description */
            seo_description: string | null;
            /** Seo Keywords */
            seo_keywords: string | null;
            /** Seo Title */
            seo_title: string | null;
            /**
             * Slug
             * @example before-the-boats
             */
            slug: string;
            /**
             * Status
             * @example published
             */
            status: string | null;
            /**
             * Title
             * @example Before the boats
             */
            title: string | null;
            /** Updated At */
            updated_at: string | null;
            /** View Count */
            view_count: number | null;
        };
        /**
         * Login
         * @description What a person shows.
         */
        Login: {
            /**
             * Key
             * @description An API key.
             * @example glad_…
             */
            key: string;
        };
        /**
         * MadeKey
         * @description A key, and its text, which is shown this once.
         */
        MadeKey: {
            key: components["schemas"]["ApiKey"];
            /** Text */
            text: string;
        };
        /**
         * MessageCounts
         * @description Of a page of messages.
         */
        MessageCounts: {
            /**
             * After
             * @description for the next page; null: this is the last
             */
            after: number | null;
            /**
             * Counts
             * @description messages by status
             */
            counts: {
                [key: string]: number;
            };
        };
        /**
         * MessagePage
         * @description Some messages, the newest first.
         */
        MessagePage: {
            /** Data */
            data: components["schemas"]["MessageStatus"][];
            meta: components["schemas"]["MessageCounts"];
        };
        /**
         * MessageStatus
         * @description A message, and how far it is.
         */
        MessageStatus: {
            /** Attempts */
            attempts: number;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Ended At */
            ended_at: string | null;
            /** Id */
            id: number;
            /**
             * Kind
             * @enum {string}
             */
            kind: "revalidate" | "delete" | "purge";
            /** Last Error */
            last_error: string | null;
            /**
             * Next Attempt At
             * Format: date-time
             */
            next_attempt_at: string;
            /** Payload */
            payload: {
                [key: string]: unknown;
            };
            /**
             * Status
             * @enum {string}
             */
            status: "waiting" | "delivered" | "skipped" | "dead";
            /** Subject */
            subject: string;
        };
        /**
         * ModelChoice
         * @description The model of the settings.
         */
        ModelChoice: {
            /** Is Demo */
            is_demo: boolean;
            /** License */
            license: string | null;
            /** Name */
            name: string;
            /** Problem */
            problem: string | null;
        };
        /**
         * ModelName
         * @description What has drawn a picture.
         */
        ModelName: {
            /**
             * License
             * @description The model's own, where it is known
             * @example CreativeML Open RAIL++-M
             */
            license: string | null;
            /**
             * Name
             * @example stabilityai/stable-diffusion-xl-base-1.0
             */
            name: string;
        };
        /**
         * Named
         * @description A category, tag or author as a post names it.
         */
        Named: {
            /**
             * Id
             * @description null: the blog has the name alone
             * @example 00000000-0000-4000-8000-000000000001
             */
            id: string | number | null;
            /**
             * Name
             * @example Technology
             */
            name: string;
            /**
             * Slug
             * @example technology
             */
            slug: string | null;
        };
        /**
         * NewKey
         * @description A key to be made.
         */
        NewKey: {
            /**
             * Expires At
             * @description ISO 8601; null: never. With the key that makes it at the latest
             * @example 2027-01-01T00:00:00Z
             */
            expires_at?: string | null;
            /**
             * Name
             * @description prompts asked for with it have it as their source
             * @example site
             */
            name: string;
            /**
             * Scopes
             * @example [
             *       "submit"
             *     ]
             */
            scopes: ("read" | "submit" | "review" | "admin")[];
        };
        /**
         * OfBatch
         * @description What became of one prompt of a batch.
         */
        OfBatch: {
            /** Detail */
            detail: string;
            /**
             * Id
             * @description null: it is not in the queue
             */
            id: number | null;
            /**
             * Index
             * @description its place in the batch, from 0
             */
            index: number;
            /** Is New */
            is_new: boolean;
            /** Ok */
            ok: boolean;
        };
        /**
         * OneImage
         * @description Which picture is meant.
         */
        OneImage: {
            /**
             * Image
             * @description its id, key, URL or recipe hash
             * @example 17
             */
            image: string;
        };
        /**
         * OneSource
         * @description Whose prompts are meant.
         */
        OneSource: {
            /**
             * Source
             * @description only prompts of this source; '': those without one; null: the whole queue
             */
            source?: string | null;
        };
        /**
         * Opened
         * @description Who is logged in.
         */
        Opened: {
            /**
             * Csrf Token
             * @description The header X-CSRF-Token of every change.
             */
            csrf_token: string;
            /**
             * Expires At
             * Format: date-time
             */
            expires_at: string;
            /**
             * Name
             * @description The name of the key.
             */
            name: string;
            /** Scopes */
            scopes: string[];
        };
        /**
         * Options
         * @description All that a form needs.
         */
        Options: {
            blog: components["schemas"]["Blog"];
            /** Dagster Url */
            dagster_url: string | null;
            /** Gates */
            gates: components["schemas"]["GateChoice"][];
            limits: components["schemas"]["FieldLimits"];
            model: components["schemas"]["ModelChoice"];
            /** Presets */
            presets: components["schemas"]["PresetChoice"][];
            /** Prompt Syntax */
            prompt_syntax: string;
            /** Prompt Syntaxes */
            prompt_syntaxes: string[];
            /** Schedulers */
            schedulers: string[];
            /** Site Url */
            site_url: string | null;
            /** Sizes */
            sizes: components["schemas"]["SizeChoice"][];
            /** Timezone */
            timezone: string;
        };
        /**
         * Outcome
         * @description What became of one of several.
         */
        Outcome: {
            /**
             * Detail
             * @description what was done, or why it stays as it is
             */
            detail: string;
            /** Id */
            id: number;
            /** Ok */
            ok: boolean;
        };
        /**
         * Outcomes
         * @description What became of each.
         */
        Outcomes: {
            /** Data */
            data: components["schemas"]["Outcome"][];
            meta: components["schemas"]["Tally"];
        };
        /** Page[GalleryImage] */
        Page_GalleryImage_: {
            /** Data */
            data: components["schemas"]["GalleryImage"][];
            meta: components["schemas"]["Counts"];
        };
        /** Page[IllustratedPost] */
        Page_IllustratedPost_: {
            /** Data */
            data: components["schemas"]["IllustratedPost"][];
            meta: components["schemas"]["Counts"];
        };
        /** Page[Waiting] */
        Page_Waiting_: {
            /** Data */
            data: components["schemas"]["Waiting"][];
            meta: components["schemas"]["Counts"];
        };
        /** PageMeta */
        PageMeta: {
            pagination: components["schemas"]["Pagination"];
        };
        /**
         * Pagination
         * @example {
         *       "page": 1,
         *       "pageCount": 1,
         *       "pageSize": 20,
         *       "total": 14,
         *       "totalIsExact": true
         *     }
         */
        Pagination: {
            /**
             * Next
             * @description For `after`: the next page; null: there is none
             */
            next: string | null;
            /**
             * Page
             * @description From 1; null where the page was asked for by `after`
             */
            page: number | null;
            /** Pagecount */
            pageCount: number | null;
            /** Pagesize */
            pageSize: number;
            /**
             * Total
             * @description Posts; null where the page was asked for by `after`
             */
            total: number | null;
            /**
             * Totalisexact
             * @description Up to 1,000 posts are counted; of more the total is PostgreSQL's estimate of the last half minute
             */
            totalIsExact: boolean | null;
        };
        /**
         * Pause
         * @description What is paused, and why.
         */
        Pause: {
            /**
             * Reason
             * @description shown wherever the pause is
             */
            reason?: string | null;
            /**
             * Source
             * @description only prompts of this source; '': those without one; null: the whole queue
             */
            source?: string | null;
        };
        /**
         * Paused
         * @description What a pause, or its end, has found.
         */
        Paused: {
            /**
             * Before
             * @description since when it was paused before; null: it was not
             */
            before: string | null;
            /** Paused */
            paused: boolean;
            /**
             * Still
             * @description all that is paused now, in words
             */
            still: string | null;
        };
        /**
         * Picture
         * @description A prompt, and which picture of it the person has seen.
         */
        "Picture-Input": {
            /** Id */
            id: number;
            /**
             * Image Id
             * @description as the review shows it: a picture that was drawn anew since is not decided about
             */
            image_id?: number | null;
        };
        /**
         * Post
         * @description A post.
         */
        Post: {
            author: components["schemas"]["Named"] | null;
            /** Author Id */
            author_id: string | number | null;
            category: components["schemas"]["Named"] | null;
            /** Category Id */
            category_id: string | number | null;
            /**
             * Content
             * @description Markdown, as the blog has it
             */
            content: string | null;
            /**
             * Cover Image Url
             * @description For social networks, 1200 × 630
             */
            cover_image_url: string | null;
            coverImage: components["schemas"]["CoverImage"];
            /** Created At */
            created_at: string | null;
            /** Excerpt */
            excerpt: string | null;
            /** Featured Image Url */
            featured_image_url: string | null;
            /**
             * Id
             * @example 00000000-0000-4000-8000-000000000001
             */
            id: string | number;
            picture: components["schemas"]["glad_pipeline__gateway__post_models__Picture"] | null;
            /** Published At */
            published_at: string | null;
            /** Seo Description */
            seo_description: string | null;
            /** Seo Keywords */
            seo_keywords: string | null;
            /** Seo Title */
            seo_title: string | null;
            /**
             * Slug
             * @example before-the-boats
             */
            slug: string;
            /**
             * Status
             * @example published
             */
            status: string | null;
            /** Tags */
            tags: components["schemas"]["Named"][];
            /**
             * Title
             * @example Before the boats
             */
            title: string | null;
            /** Updated At */
            updated_at: string | null;
            /** View Count */
            view_count: number | null;
        };
        /** PostAnswer */
        PostAnswer: {
            data: components["schemas"]["Post"];
        };
        /**
         * PostFields
         * @description What is said of a post.
         */
        PostFields: {
            /** Alt Text */
            alt_text?: string | null;
            /** Author */
            author?: string | null;
            /** Category */
            category?: string | null;
            /** Content */
            content?: string | null;
            /** Excerpt */
            excerpt?: string | null;
            /**
             * Publish At
             * @description Not to be published before.
             */
            publish_at?: string | null;
            /** Slug */
            slug?: string | null;
            /** Title */
            title?: string | null;
        };
        /** PostsPage */
        PostsPage: {
            /** Data */
            data: components["schemas"]["ListedPost"][];
            meta: components["schemas"]["PageMeta"];
        };
        /**
         * PostSummary
         * @description A post without its text.
         */
        PostSummary: {
            author: components["schemas"]["Named"] | null;
            /** Author Id */
            author_id: string | number | null;
            category: components["schemas"]["Named"] | null;
            /** Category Id */
            category_id: string | number | null;
            /**
             * Cover Image Url
             * @description For social networks, 1200 × 630
             */
            cover_image_url: string | null;
            coverImage: components["schemas"]["CoverImage"];
            /** Created At */
            created_at: string | null;
            /** Excerpt */
            excerpt: string | null;
            /** Featured Image Url */
            featured_image_url: string | null;
            /**
             * Id
             * @example 00000000-0000-4000-8000-000000000001
             */
            id: string | number;
            picture: components["schemas"]["glad_pipeline__gateway__post_models__Picture"] | null;
            /** Published At */
            published_at: string | null;
            /** Seo Description */
            seo_description: string | null;
            /** Seo Keywords */
            seo_keywords: string | null;
            /** Seo Title */
            seo_title: string | null;
            /**
             * Slug
             * @example before-the-boats
             */
            slug: string;
            /**
             * Status
             * @example published
             */
            status: string | null;
            /**
             * Title
             * @example Before the boats
             */
            title: string | null;
            /** Updated At */
            updated_at: string | null;
            /** View Count */
            view_count: number | null;
        };
        /**
         * PresetChoice
         * @description A named way to draw.
         */
        PresetChoice: {
            /** Guidance Scale */
            guidance_scale: number | null;
            /** Is Default */
            is_default: boolean;
            /** Meaning */
            meaning: string;
            /** Name */
            name: string;
            /** Num Inference Steps */
            num_inference_steps: number | null;
            /** Problem */
            problem: string | null;
            /** Scheduler */
            scheduler: string | null;
        };
        /**
         * Preview
         * @description A picture for an `<img>`.
         */
        Preview: {
            /** Bytes */
            bytes: number;
            /** Height */
            height: number;
            /** Placeholder */
            placeholder: string | null;
            /** Srcset */
            srcset: {
                [key: string]: string;
            };
            /** Thumbnail */
            thumbnail: string;
            /** Url */
            url: string;
            /** Width */
            width: number;
        };
        /**
         * Priority
         * @description How soon.
         */
        Priority: {
            /** Ids */
            ids: number[];
            /**
             * Priority
             * @description higher goes first; 0 is usual
             */
            priority: number;
        };
        /** Problem */
        Problem: {
            /** @description what happened, which value, what to do */
            detail: string;
            /** @description each mistake in the request */
            errors?: string[];
            status: number;
            /** @description what the status means */
            title: string;
            type: string;
        };
        /**
         * PromptAsked
         * @description A prompt that somebody asks for.
         */
        PromptAsked: {
            /** Alt Text */
            alt_text?: string | null;
            /** Author */
            author?: string | null;
            /** Category */
            category?: string | null;
            /** Content */
            content?: string | null;
            /** Excerpt */
            excerpt?: string | null;
            /** Focus */
            focus?: string | null;
            /** Guidance Scale */
            guidance_scale?: number | null;
            /** Height */
            height?: number | null;
            /** Idempotency Key */
            idempotency_key?: string | null;
            /** Lora */
            lora?: string | null;
            /** Model */
            model?: string | null;
            /** Model Revision */
            model_revision?: string | null;
            /** Needs Approval */
            needs_approval?: boolean | null;
            /** Negative Prompt */
            negative_prompt?: string | null;
            /** Num Inference Steps */
            num_inference_steps?: number | null;
            /**
             * Post Id
             * @description the slug or id of a post to illustrate
             */
            post_id?: string | number | null;
            /** Preset */
            preset?: ("base" | "fast" | "refined" | "cfg-cutoff" | "lightning-4" | "lcm-4" | "fp8") | null;
            /** Priority */
            priority?: number | null;
            /**
             * Prompt
             * @description what to draw
             * @example a quiet harbour at dawn, pink light
             */
            prompt: string;
            /** Prompt Syntax */
            prompt_syntax?: ("plain" | "a1111") | null;
            /** Publish */
            publish?: ("post" | "picture") | null;
            /**
             * Publish At
             * @example 2026-03-01T09:00:00+01:00
             */
            publish_at?: string | null;
            /** Replace */
            replace?: boolean | null;
            /** Scheduler */
            scheduler?: ("euler" | "euler_a" | "dpmpp_2m" | "ddim" | "unipc" | "lcm") | null;
            /** Seed */
            seed?: number | null;
            /**
             * Size
             * @example 1024x768
             */
            size?: string | null;
            /** Slug */
            slug?: string | null;
            /**
             * Source
             * @description who asks; absent: the name of the key
             */
            source?: string | null;
            /** Task Id */
            task_id?: string | null;
            /** Title */
            title?: string | null;
            /** Width */
            width?: number | null;
        };
        /**
         * PromptCounts
         * @description Of a page of prompts.
         */
        PromptCounts: {
            /**
             * After
             * @description for the next page; null: this is the last
             */
            after: number | null;
            /**
             * Counts
             * @description prompts by status, of those that the filters mean but for `status`; on the first page only
             */
            counts: {
                [key: string]: number;
            } | null;
        };
        /**
         * PromptDetails
         * @description All about a prompt: as it was asked for, how far it is, its picture (a row of `images`) and its post.
         */
        PromptDetails: {
            /** Alt Text */
            alt_text?: string | null;
            /**
             * Attempts
             * @default 0
             */
            attempts: number;
            /** Author */
            author?: string | null;
            /** Category */
            category?: string | null;
            /** Claim Token */
            claim_token?: number | null;
            /** Claimed At */
            claimed_at: string | null;
            /** Claimed By */
            claimed_by: string | null;
            /** Content */
            content?: string | null;
            /** Content Hash */
            content_hash: string | null;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Excerpt */
            excerpt?: string | null;
            /** Focus */
            focus?: string | null;
            /** Generated At */
            generated_at: string | null;
            /** Guidance Scale */
            guidance_scale?: number | null;
            /** Height */
            height?: number | null;
            /** Id */
            id: number;
            /** Idempotency Key */
            idempotency_key?: string | null;
            /** Image Bytes */
            image_bytes: number | null;
            /** Image Height */
            image_height: number | null;
            /** Image Id */
            image_id: number | null;
            /** Image Key */
            image_key: string | null;
            /** Image Model */
            image_model: string | null;
            /** Image Model Revision */
            image_model_revision: string | null;
            /** Image Pixels Sha256 */
            image_pixels_sha256: string | null;
            /** Image Removed At */
            image_removed_at: string | null;
            /** Image Removed Reason */
            image_removed_reason: string | null;
            /** Image Seconds */
            image_seconds: number | null;
            /** Image Sha256 */
            image_sha256: string | null;
            /** Image Thumbnail Url */
            image_thumbnail_url: string | null;
            /** Image Tokens Dropped */
            image_tokens_dropped: number | null;
            /** Image Url */
            image_url: string | null;
            /** Image Width */
            image_width: number | null;
            /** Last Error */
            last_error: string | null;
            /** Lease Expires At */
            lease_expires_at: string | null;
            /** Lora */
            lora?: string | null;
            /** Model */
            model?: string | null;
            /** Model Revision */
            model_revision?: string | null;
            /**
             * Needs Approval
             * @default false
             */
            needs_approval: boolean;
            /**
             * Negative Prompt
             * @default
             */
            negative_prompt: string;
            /** Num Inference Steps */
            num_inference_steps?: number | null;
            /** Post Id */
            post_id?: string | number | null;
            /** Post Path */
            post_path?: string | null;
            /** Post Shows */
            post_shows?: string | null;
            /** Post Status */
            post_status?: string | null;
            /** Post Title */
            post_title?: string | null;
            /** Post Version */
            post_version?: string | null;
            /** Preset */
            preset?: string | null;
            /**
             * Priority
             * @default 0
             */
            priority: number;
            /** Prompt */
            prompt: string;
            /** Prompt Syntax */
            prompt_syntax?: string | null;
            /**
             * Publish
             * @default post
             */
            publish: string;
            /** Publish At */
            publish_at?: string | null;
            /** Published At */
            published_at: string | null;
            /** Published Post Id */
            published_post_id?: string | number | null;
            /** Put Back At */
            put_back_at: string | null;
            /**
             * Replace
             * @default false
             */
            replace: boolean;
            /** Replaced Alt Text */
            replaced_alt_text?: string | null;
            /** Replaced Image Url */
            replaced_image_url?: string | null;
            /** Scheduler */
            scheduler?: string | null;
            /** Seed */
            seed: number;
            /** Slug */
            slug?: string | null;
            /**
             * Source
             * @default
             */
            source: string;
            /** Status */
            status: string;
            /** Taken Down At */
            taken_down_at?: string | null;
            /** Task Id */
            task_id?: string | null;
            /** Title */
            title?: string | null;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            /** Width */
            width?: number | null;
        };
        /**
         * PromptFields
         * @description What may be said of a prompt; null or absent: its default.
         */
        PromptFields: {
            /** Alt Text */
            alt_text?: string | null;
            /** Author */
            author?: string | null;
            /** Category */
            category?: string | null;
            /** Content */
            content?: string | null;
            /** Excerpt */
            excerpt?: string | null;
            /** Focus */
            focus?: string | null;
            /** Guidance Scale */
            guidance_scale?: number | null;
            /** Height */
            height?: number | null;
            /** Idempotency Key */
            idempotency_key?: string | null;
            /** Lora */
            lora?: string | null;
            /** Model */
            model?: string | null;
            /** Model Revision */
            model_revision?: string | null;
            /** Needs Approval */
            needs_approval?: boolean | null;
            /** Negative Prompt */
            negative_prompt?: string | null;
            /** Num Inference Steps */
            num_inference_steps?: number | null;
            /**
             * Post Id
             * @description the slug or id of a post to illustrate
             */
            post_id?: string | number | null;
            /** Preset */
            preset?: ("base" | "fast" | "refined" | "cfg-cutoff" | "lightning-4" | "lcm-4" | "fp8") | null;
            /** Priority */
            priority?: number | null;
            /** Prompt */
            prompt?: string | null;
            /** Prompt Syntax */
            prompt_syntax?: ("plain" | "a1111") | null;
            /** Publish */
            publish?: ("post" | "picture") | null;
            /**
             * Publish At
             * @example 2026-03-01T09:00:00+01:00
             */
            publish_at?: string | null;
            /** Replace */
            replace?: boolean | null;
            /** Scheduler */
            scheduler?: ("euler" | "euler_a" | "dpmpp_2m" | "ddim" | "unipc" | "lcm") | null;
            /** Seed */
            seed?: number | null;
            /**
             * Size
             * @example 1024x768
             */
            size?: string | null;
            /** Slug */
            slug?: string | null;
            /**
             * Source
             * @description who asks; absent: the name of the key
             */
            source?: string | null;
            /** Task Id */
            task_id?: string | null;
            /** Title */
            title?: string | null;
            /** Width */
            width?: number | null;
        };
        /**
         * PromptPage
         * @description Some prompts, the newest first.
         */
        PromptPage: {
            /** Data */
            data: components["schemas"]["PromptStatus"][];
            meta: components["schemas"]["PromptCounts"];
        };
        /**
         * PromptStatus
         * @description How far a prompt is, in short.
         */
        PromptStatus: {
            /** Attempts */
            attempts: number;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Id */
            id: number;
            /** Image Url */
            image_url: string | null;
            /** Last Error */
            last_error: string | null;
            /** Post Status */
            post_status?: string | null;
            /** Priority */
            priority: number;
            /** Prompt */
            prompt: string;
            /** Publish At */
            publish_at: string | null;
            /** Published At */
            published_at: string | null;
            /** Slug */
            slug: string | null;
            /** Source */
            source: string;
            /** Status */
            status: string;
            /** Task Id */
            task_id: string | null;
            /** Title */
            title: string | null;
        };
        /**
         * Queue
         * @description The queue at this moment.
         */
        Queue: {
            /**
             * Counts
             * @description prompts by status
             */
            counts: {
                [key: string]: number;
            };
            /**
             * Due
             * @description drawn pictures wait whose time to be published has come
             */
            due: boolean;
            /**
             * Eta Seconds
             * @description until the last that waits is drawn, by the pace of the last pictures; null: not known
             */
            eta_seconds: number | null;
            /**
             * Paused
             * @description what is paused, since when and why, in words; null: nothing
             */
            paused: string | null;
            /**
             * Pending
             * @description prompts wait to be drawn, and are not paused
             */
            pending: boolean;
            /** Sources */
            sources: components["schemas"]["Source"][];
        };
        /**
         * Redrawn
         * @description Which are drawn again.
         */
        Redrawn: {
            /**
             * Prompts
             * @example [
             *       {
             *         "id": 17,
             *         "image_id": 9
             *       }
             *     ]
             */
            prompts: components["schemas"]["Picture-Input"][];
            /**
             * Seed
             * @description for one prompt; null: one that is drawn anew
             */
            seed?: number | null;
        };
        /**
         * RedrawStale
         * @description Whether anything is changed.
         */
        RedrawStale: {
            /**
             * Dry Run
             * @description only say which prompts these are, and what they took
             * @default true
             */
            dry_run: boolean;
        };
        /**
         * Rejected
         * @description Which are meant, and why.
         */
        Rejected: {
            /**
             * Prompts
             * @example [
             *       {
             *         "id": 17,
             *         "image_id": 9
             *       }
             *     ]
             */
            prompts: components["schemas"]["Picture-Input"][];
            /** Reason */
            reason: string;
        };
        /**
         * Retry
         * @description Which: by their ids, or all that have failed.
         */
        Retry: {
            /** All Failed */
            all_failed?: true | null;
            /** Ids */
            ids?: number[] | null;
        } & (unknown | unknown);
        /**
         * RetryMessages
         * @description Which: by their ids, or all that are dead.
         */
        RetryMessages: {
            /** Dead */
            dead?: true | null;
            /** Ids */
            ids?: number[] | null;
        } & (unknown | unknown);
        /**
         * RevokedKey
         * @description A key that opens nothing any more.
         */
        RevokedKey: {
            data: components["schemas"]["ApiKey"];
            /**
             * Meta
             * @description `made_with_it`: the names of keys that ended with it
             * @example {
             *       "made_with_it": []
             *     }
             */
            meta: {
                [key: string]: string[];
            };
        };
        /**
         * Rotation
         * @description Which key gets another secret.
         */
        Rotation: {
            /**
             * Grace Seconds
             * @description for how long the secret before opens the same
             * @default 0
             */
            grace_seconds: number;
            /**
             * Name
             * @description prompts asked for with it have it as their source
             * @example site
             */
            name: string;
        };
        /**
         * RowRefused
         * @description A row that is wrong.
         */
        RowRefused: {
            /** Reason */
            reason: string;
            /**
             * Where
             * @example line 7
             */
            where: string;
        };
        /**
         * RowSeen
         * @description A row as it would be in the queue.
         */
        RowSeen: {
            /**
             * Notices
             * @description what is drawn in another way than it seems to be meant
             */
            notices: string[];
            /** Prompt */
            prompt: {
                [key: string]: unknown;
            };
            /** Where */
            where: string;
        };
        /**
         * Run
         * @description A run of Dagster's, as far as prompts tell of it.
         */
        Run: {
            /** Claimed */
            claimed: number;
            /** Dagster Url */
            dagster_url: string | null;
            /** Failed */
            failed: number;
            /** In Hand */
            in_hand: number;
            /** Is Alive */
            is_alive: boolean;
            /** Last At */
            last_at: string | null;
            /** Published */
            published: number;
            /** Rejected */
            rejected: number;
            /** Run Id */
            run_id: string;
            /** Since */
            since: string | null;
            /** Stored */
            stored: number;
        };
        /** Sitemap */
        Sitemap: {
            /**
             * Data
             * @description The oldest posts first
             */
            data: components["schemas"]["ChunkEntry"][];
        };
        /** SitemapChunk */
        SitemapChunk: {
            /**
             * Data
             * @description At most 20,000, the oldest first
             */
            data: components["schemas"]["SitemapPost"][];
        };
        /** SitemapPost */
        SitemapPost: {
            /**
             * Picture
             * @example https://cdn.example.com/generated/ab/abababababababababababababababab.png
             */
            picture: string | null;
            /**
             * Slug
             * @example before-the-boats
             */
            slug: string;
            /** Updated At */
            updated_at: string | null;
        };
        /**
         * SizeChoice
         * @description A size of pictures, in pixels.
         */
        SizeChoice: {
            /** Height */
            height: number;
            /** Is Default */
            is_default: boolean;
            /** Ratio */
            ratio: string;
            /** Width */
            width: number;
        };
        /**
         * Source
         * @description What one source has in the queue, and what is said of it.
         */
        Source: {
            /** Added */
            added: number | null;
            /** Daily Limit */
            daily_limit: number | null;
            /** In Work */
            in_work: number;
            /** Pause Reason */
            pause_reason: string | null;
            /** Paused Since */
            paused_since: string | null;
            /** Published */
            published: number;
            /** Queued Limit */
            queued_limit: number | null;
            /** Source */
            source: string;
            /** Waiting */
            waiting: number;
        };
        /**
         * StoredRendition
         * @description What is recorded of one rendition: the master list of these columns of `renditions`.
         */
        StoredRendition: {
            /** Bytes */
            bytes: number;
            /** Height */
            height: number;
            /** Key */
            key: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "webp" | "avif" | "social";
            /** Sha256 */
            sha256: string;
            /** Width */
            width: number;
        };
        /**
         * Takedown
         * @description What a takedown has changed, and what has become of its messages.
         */
        Takedown: {
            /**
             * Changed
             * @description false: it was so already
             */
            changed: boolean;
            /**
             * Cleared
             * @description slugs of posts that stay, without the picture
             */
            cleared: string[];
            /**
             * Done
             * @description everybody was told; false: the outbox goes on telling
             */
            done: boolean;
            /**
             * Forgotten
             * @description what else was removed of our own traces
             */
            forgotten: string[];
            /**
             * Hidden
             * @description slugs of posts that are drafts now
             */
            hidden: string[];
            /**
             * Kept
             * @description keys of pictures that stay, with the reason
             */
            kept: {
                [key: string]: string;
            };
            /** Messages */
            messages: {
                [key: string]: unknown;
            }[];
            /** Others May Hold */
            others_may_hold: string[];
            /**
             * Prompts
             * @description cancelled or rejected
             */
            prompts: number[];
            /**
             * Removed
             * @description keys of pictures that are removed and blocked
             */
            removed: string[];
            /**
             * Restored
             * @description slugs of posts, with the picture, not ours, that they show again
             */
            restored: {
                [key: string]: string;
            };
        };
        /**
         * TakedownAnswer
         * @description A takedown: of rows it is done; `meta.job` follows what others are told.
         */
        TakedownAnswer: {
            data: components["schemas"]["Takedown"];
            /** Meta */
            meta: {
                [key: string]: string | null;
            };
        };
        /**
         * Tally
         * @description Of several.
         */
        Tally: {
            /**
             * Job
             * @description where it is followed what still goes on
             */
            job?: string | null;
            /** Ok */
            ok: number;
            /** Refused */
            refused: number;
        };
        /**
         * Task
         * @description How far a picture is.
         */
        Task: {
            /**
             * Attempts
             * @description How often drawing it was begun and did not end well.
             */
            attempts: number;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            drawing?: components["schemas"]["Drawing"] | null;
            /**
             * Eta Seconds
             * @description Until it is drawn, by the pace of the last pictures; null: not known, or it does not wait.
             */
            eta_seconds?: number | null;
            /**
             * Generation Time
             * @description Seconds of drawing.
             */
            generation_time?: number | null;
            /** Id */
            id: number;
            image?: components["schemas"]["Image"] | null;
            /** Image Url */
            image_url?: string | null;
            links: components["schemas"]["Links"];
            /**
             * Message
             * @description The same in words.
             * @example waiting, 17 ahead
             */
            message: string;
            /**
             * Notices
             * @description What of the request has no effect, or another one than it seems.
             * @default []
             */
            notices: string[];
            /**
             * Place
             * @description In the queue, from 1; null: beyond 1,000, or it does not wait there.
             */
            place?: number | null;
            /**
             * Post
             * @description The path of its post on the site.
             */
            post?: string | null;
            /**
             * Publish
             * @enum {string}
             */
            publish: "post" | "picture";
            /**
             * Reason
             * @description Why it is where it is, or waits again.
             */
            reason?: string | null;
            /**
             * State
             * @description As docs/prompts.md has them; the last five are final.
             * @enum {string}
             */
            state: "pending" | "claimed" | "generated" | "awaiting_approval" | "published" | "ready" | "rejected" | "failed" | "cancelled";
        };
        /**
         * ToPublish
         * @description Which pictures become posts.
         */
        ToPublish: {
            /**
             * Prompts
             * @example [
             *       {
             *         "id": 17,
             *         "image_id": 9
             *       }
             *     ]
             */
            prompts: components["schemas"]["Picture-Input"][];
            /**
             * Title
             * @description the post's, for one prompt
             */
            title?: string | null;
        };
        /**
         * Unpublish
         * @description Which post is hidden, and why.
         */
        Unpublish: {
            /**
             * Keep Picture
             * @description hide the post only; without, its picture goes for good: for the scope admin
             * @default false
             */
            keep_picture: boolean;
            /**
             * Post
             * @description its slug or id
             */
            post: string;
            /** Reason */
            reason: string;
        };
        /** ValidationError */
        ValidationError: {
            /** Context */
            ctx?: Record<string, never>;
            /** Input */
            input?: unknown;
            /** Location */
            loc: (string | number)[];
            /** Message */
            msg: string;
            /** Error Type */
            type: string;
        };
        /**
         * Waiting
         * @description A prompt whose picture waits for a person.
         */
        Waiting: {
            /** Alt Text */
            alt_text: string | null;
            /** Author */
            author: string | null;
            /** Category */
            category: string | null;
            /** Drawn At */
            drawn_at: string | null;
            /** Excerpt */
            excerpt: string | null;
            /** Findings */
            findings: components["schemas"]["Finding"][];
            /** Id */
            id: number;
            /** Image Id */
            image_id: number;
            /** Negative Prompt */
            negative_prompt: string;
            picture: components["schemas"]["Preview"];
            /** Post Id */
            post_id: string | number | null;
            /** Post Path */
            post_path: string | null;
            /** Post Shows */
            post_shows: string | null;
            /** Prompt */
            prompt: string;
            /** Publish At */
            publish_at: string | null;
            /** Reason */
            reason: string | null;
            /** Source */
            source: string;
            /**
             * Status
             * @enum {string}
             */
            status: "awaiting_approval" | "ready";
            /** Task Id */
            task_id: string | null;
            /** Title */
            title: string | null;
        };
        /**
         * WouldBe
         * @description How it would be drawn, and what would come of it.
         */
        WouldBe: {
            /**
             * Becomes
             * @enum {string}
             */
            becomes: "post" | "picture" | "illustration";
            /** Guidance Scale */
            guidance_scale: number;
            /** Height */
            height: number;
            /** Model */
            model: string;
            /** Needs Approval */
            needs_approval: boolean;
            /** Num Inference Steps */
            num_inference_steps: number;
            /** Preset */
            preset: string;
            /** Publish At */
            publish_at: string | null;
            /** Scheduler */
            scheduler: string;
            /** Width */
            width: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    authors_api_authors_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Authors"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    author_api_authors__name__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its slug, id or name */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuthorAnswer"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    caller_api_caller_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["glad_pipeline__gateway__whoami__Answer"];
                };
            };
        };
    };
    categories_api_categories_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Labels"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    category_api_categories__name__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its slug, id or name */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LabelAnswer"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    publish_api_media__task_id__publish_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description As the answer to the request had it. */
                task_id: number;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PostFields"] | null;
            };
        };
        responses: {
            /** @description It is published */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description The next run publishes it */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
        };
    };
    generate_image_api_media_generate_image_post: {
        parameters: {
            query?: {
                /** @description Seconds to hold the call open. */
                wait?: number;
            };
            header?: {
                /** @description Asked again with it, the same is answered; without it, `task_id` of the body is meant. */
                "idempotency-key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ImageRequest"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["glad_pipeline__gateway__media__Picture"];
                };
            };
            /** @description Not yet: `links` says where to ask on */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
        };
    };
    health_api_media_health_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["glad_pipeline__gateway__media__Health"];
                };
            };
        };
    };
    task_api_media_tasks__task_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description As the answer to the request had it. */
                task_id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
        };
    };
    events_api_media_tasks__task_id__events_get: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only what has happened after the event of this number. */
                "last-event-id"?: number | null;
            };
            path: {
                /** @description As the answer to the request had it. */
                task_id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example event: queued
                     *     data: {"place": 18, "message": "waiting, 17 ahead", "eta_seconds": 95}
                     */
                    "text/event-stream": unknown;
                };
            };
        };
    };
    posts_api_posts_get: {
        parameters: {
            query?: {
                /** @description `meta.pagination.next` of the page before; `skip` does not count then, and there is no total. */
                after?: string | null;
                /** @description Its slug, id or name */
                author?: string | null;
                /** @description Its slug, id or name */
                category?: string | null;
                /** @description `summary`: without `content`, which is most of a page's bytes */
                fields?: "all" | "summary";
                limit?: number;
                /** @description False: all states, with a key that has the scope `read`. `status` goes first. */
                published_only?: boolean;
                /** @description What the title has in it, in small or capital letters */
                search?: string | null;
                /** @description Posts to leave out; further on: `after` */
                skip?: number;
                /** @description Posts of this state alone. Others than `published` ask for a key with the scope `read`. */
                status?: string | null;
                /** @description Its slug, id or name */
                tag?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PostsPage"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    post_api_posts__slug__get: {
        parameters: {
            query?: {
                /** @description The `preview_token` of a draft, where the blog has such */
                preview?: string | null;
            };
            header?: never;
            path: {
                slug: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PostAnswer"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    around_api_posts__slug__around_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                slug: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AroundAnswer"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    picture_api_posts__slug__picture_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                slug: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AboutAnswer"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    sitemap_api_sitemap_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sitemap"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    sitemap_chunk_api_sitemap__chunk__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description As /api/sitemap names it */
                chunk: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SitemapChunk"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    audit_api_studio_audit_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Audit"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAnswer"];
                };
            };
            /** @description It goes on: follow it by its id */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAnswer"];
                };
            };
        };
    };
    doctor_api_studio_doctor_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAnswer"];
                };
            };
            /** @description It goes on: follow it by its id */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAnswer"];
                };
            };
        };
    };
    list_images_api_studio_images_get: {
        parameters: {
            query?: {
                /** @description the next page: `meta.after` of the one before */
                after?: number | null;
                category?: string | null;
                limit?: number;
                model?: string | null;
                /** @description drawn then or later */
                since?: string | null;
                /** @description drawn by another model, or revision, than the settings' */
                stale?: boolean | null;
                /** @description unused: no prompt has it, or its prompt is drawn anew; removed: taken down */
                state?: ("published" | "ready" | "waiting" | "unused" | "removed") | null;
                /** @description in title or prompt */
                text?: string | null;
                /** @description drawn before */
                until?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_GalleryImage_"];
                };
            };
        };
    };
    show_image_api_studio_images__image_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                image_id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_ImageLineage_"];
                };
            };
        };
    };
    show_file_api_studio_images__image_id__file_get: {
        parameters: {
            query?: {
                /** @description or pixels: the smallest copy that is as wide */
                size?: string;
            };
            header?: never;
            path: {
                image_id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The picture */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/png": string;
                };
            };
        };
    };
    allow_image_api_studio_images_allow_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OneImage"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_Allowed_"];
                };
            };
        };
    };
    delete_image_api_studio_images_delete_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DeleteImage"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TakedownAnswer"];
                };
            };
            /** @description It is taken down, and others are still being told */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TakedownAnswer"];
                };
            };
        };
    };
    redraw_pictures_api_studio_images_redraw_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Ids"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcomes"];
                };
            };
        };
    };
    redraw_stale_api_studio_images_redraw_stale_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RedrawStale"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAnswer"];
                };
            };
            /** @description It goes on: follow it by its id */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAnswer"];
                };
            };
        };
    };
    reproduce_image_api_studio_images_reproduce_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OneImage"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAnswer"];
                };
            };
            /** @description It goes on: follow it by its id */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAnswer"];
                };
            };
        };
    };
    list_jobs_api_studio_jobs_get: {
        parameters: {
            query?: {
                kind?: ("audit" | "redraw" | "deliver" | "takedown" | "reproduce" | "doctor") | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_list_Job__"];
                };
            };
        };
    };
    show_job_api_studio_jobs__job_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAnswer"];
                };
            };
        };
    };
    list_api_keys_api_studio_keys_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AllKeys"];
                };
            };
        };
    };
    make_api_key_api_studio_keys_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewKey"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_MadeKey_"];
                };
            };
        };
    };
    revoke_api_key_api_studio_keys_revoke_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["KeyName"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RevokedKey"];
                };
            };
        };
    };
    rotate_api_key_api_studio_keys_rotate_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Rotation"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_MadeKey_"];
                };
            };
        };
    };
    show_options_api_studio_options_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_Options_"];
                };
            };
        };
    };
    list_messages_api_studio_outbox_get: {
        parameters: {
            query?: {
                /** @description the next page: `meta.after` of the one before */
                after?: number | null;
                limit?: number;
                status?: ("waiting" | "delivered" | "skipped" | "dead") | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessagePage"];
                };
            };
        };
    };
    deliver_api_studio_outbox_deliver_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAnswer"];
                };
            };
            /** @description It goes on: follow it by its id */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAnswer"];
                };
            };
        };
    };
    retry_messages_api_studio_outbox_retry_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RetryMessages"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcomes"];
                };
            };
        };
    };
    list_posts_api_studio_posts_get: {
        parameters: {
            query?: {
                /** @description the next page: `meta.after` of the one before */
                after?: number | null;
                limit?: number;
                /** @description as the blog has it: published, draft … */
                status?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_IllustratedPost_"];
                };
            };
        };
    };
    unpublish_api_studio_posts_unpublish_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Unpublish"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TakedownAnswer"];
                };
            };
            /** @description It is taken down, and others are still being told */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TakedownAnswer"];
                };
            };
        };
    };
    list_prompts_api_studio_prompts_get: {
        parameters: {
            query?: {
                /** @description the next page: `meta.after` of the one before */
                after?: number | null;
                category?: string | null;
                limit?: number;
                /** @description asked for then or later */
                since?: string | null;
                /** @description '': without a source */
                source?: string | null;
                status?: ("pending" | "claimed" | "generated" | "awaiting_approval" | "published" | "ready" | "rejected" | "failed" | "cancelled") | null;
                /** @description in title or prompt */
                text?: string | null;
                /** @description asked for before */
                until?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromptPage"];
                };
            };
        };
    };
    add_prompt_api_studio_prompts_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PromptAsked"];
            };
        };
        responses: {
            /** @description It was in the queue already */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_AskedFor_"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_AskedFor_"];
                };
            };
        };
    };
    show_prompt_api_studio_prompts__prompt_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                prompt_id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_Lineage_"];
                };
            };
        };
    };
    edit_prompt_api_studio_prompts__prompt_id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                prompt_id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Change"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_Edit_"];
                };
            };
        };
    };
    add_prompts_api_studio_prompts_batch_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Batch"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchOutcomes"];
                };
            };
        };
    };
    cancel_prompts_api_studio_prompts_cancel_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Ids"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcomes"];
                };
            };
        };
    };
    check_prompt_api_studio_prompts_check_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PromptAsked"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_Checked_"];
                };
            };
        };
    };
    import_prompts_api_studio_prompts_import_post: {
        parameters: {
            query?: {
                /** @description change nothing; show the first rows as they would be */
                dry_run?: boolean;
                encoding?: string | null;
                /** @description absent: by the content */
                format?: ("csv" | "tsv" | "jsonl" | "json" | "txt") | null;
                /** @description columns to pass over; * is all */
                ignore?: string[] | null;
                /** @description COLUMN=FIELD: read it as that field */
                map?: string[] | null;
                /** @description of rows that do not say it */
                publish?: ("post" | "picture") | null;
                separator?: string | null;
                /** @description leave refused rows out and import the others */
                skip_bad?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportAnswer"];
                };
            };
        };
    };
    set_priority_api_studio_prompts_priority_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Priority"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcomes"];
                };
            };
        };
    };
    retry_prompts_api_studio_prompts_retry_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Retry"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcomes"];
                };
            };
        };
    };
    show_queue_api_studio_queue_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_Queue_"];
                };
            };
        };
    };
    limit_source_api_studio_queue_limits_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Limits"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_list_Source__"];
                };
            };
        };
    };
    pause_api_studio_queue_pause_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Pause"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_Paused_"];
                };
            };
        };
    };
    resume_api_studio_queue_resume_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OneSource"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_Paused_"];
                };
            };
        };
    };
    list_waiting_api_studio_review_get: {
        parameters: {
            query?: {
                /** @description the next page: `meta.after` of the one before */
                after?: number | null;
                limit?: number;
                source?: string | null;
                /** @description ready: asked for alone, of which a post may be made */
                status?: "awaiting_approval" | "ready";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Waiting_"];
                };
            };
        };
    };
    approve_api_studio_review_approve_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Decided"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcomes"];
                };
            };
        };
    };
    discard_api_studio_review_discard_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Discarded"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcomes"];
                };
            };
        };
    };
    publish_api_studio_review_publish_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ToPublish"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcomes"];
                };
            };
        };
    };
    redraw_api_studio_review_redraw_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Redrawn"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcomes"];
                };
            };
        };
    };
    reject_api_studio_review_reject_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Rejected"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcomes"];
                };
            };
        };
    };
    list_runs_api_studio_runs_get: {
        parameters: {
            query?: {
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer_list_Run__"];
                };
            };
        };
    };
    look_api_studio_session_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["glad_pipeline__gateway__studio_session__Answer"];
                };
            };
        };
    };
    log_in_api_studio_session_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["glad_pipeline__gateway__studio_session__Answer"];
                };
            };
        };
    };
    log_out_api_studio_session_delete: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tags_api_tags_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Labels"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tag_api_tags__name__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its slug, id or name */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LabelAnswer"];
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    healthz_healthz_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["glad_pipeline__gateway__health__Health"];
                };
            };
        };
    };
    image_images__key__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                key: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The picture, which never changes under its key */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/avif": string;
                    "image/jpeg": string;
                    "image/png": string;
                    "image/webp": string;
                };
            };
            /** @description The part that `Range` asks for */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/avif": string;
                    "image/jpeg": string;
                    "image/png": string;
                    "image/webp": string;
                };
            };
            /** @description `If-None-Match` has the tag of the answer */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    metrics_metrics_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    readyz_readyz_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["glad_pipeline__gateway__health__Health"];
                };
            };
        };
    };
}
